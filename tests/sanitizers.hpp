#pragma once
// Which sanitizer the tests are built with: g++ and clang each say it in a way of their own.
//
//   #if TG_ADDRESS_SANITIZER || TG_THREAD_SANITIZER        // which keep what was freed
#ifdef __has_feature
#define TG_HAS_FEATURE(name) __has_feature(name)
#else
#define TG_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || TG_HAS_FEATURE(address_sanitizer)
#define TG_ADDRESS_SANITIZER 1
#else
#define TG_ADDRESS_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__) || TG_HAS_FEATURE(thread_sanitizer)
#define TG_THREAD_SANITIZER 1
#else
#define TG_THREAD_SANITIZER 0
#endif
