# How everything here is compiled: warnings, floating point as written, sanitizers; ccache and a fast linker where present.
#   in: TG_WERROR, TG_SANITIZE      out: the interface target tg_options
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_library(tg_options INTERFACE)
target_compile_features(tg_options INTERFACE cxx_std_20)
target_compile_options(tg_options INTERFACE
  -Wall -Wextra -Wmissing-declarations $<$<CXX_COMPILER_ID:Clang>:-Wmissing-prototypes> $<$<BOOL:${TG_WERROR}>:-Werror>
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow>  # of files compiled as one, names of one hide those of another
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>  # g++ 12 warns of std::string + char*
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>  # of libstdc++ 12's own stable_sort
  -ffp-contract=off          # a*b+c is two roundings, as written, on every compiler
  -fno-semantic-interposition)
if(TG_SANITIZE)
  target_compile_options(tg_options INTERFACE -fsanitize=${TG_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all
    $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)  # which looks for a function's type before its code: kernels have none there
  target_link_options(tg_options INTERFACE -fsanitize=${TG_SANITIZE})
endif()

if(PROJECT_IS_TOP_LEVEL)
  find_program(TG_CCACHE ccache)
  if(TG_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${TG_CCACHE}")
    if(TG_SANITIZE)  # with headers parsed beforehand it looks things up only where told that it may
      set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${TG_CCACHE}")
    endif()
  endif()
  find_program(TG_MOLD mold)
  find_program(TG_LLD ld.lld)
  if(TG_MOLD)
    add_link_options(-fuse-ld=mold)
  elseif(TG_LLD)
    add_link_options(-fuse-ld=lld)
  endif()
endif()

# Several sources compiled as one, which takes a quarter to half of the time; one by one where they are edited (dev) and with the address
# sanitizer: so each is known to include what it uses. Only files of a folder are joined, twelve at a time, and `./do check` compiles each
# folder as one: so wherever a new file shifts the others, they go together.
function(tg_join_sources target)
  if(CMAKE_BUILD_TYPE STREQUAL Debug AND NOT TG_SANITIZE STREQUAL "thread")
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    get_filename_component(folder "${source}" DIRECTORY)
    file(RELATIVE_PATH folder "${PROJECT_SOURCE_DIR}" "${folder}")
    string(MAKE_C_IDENTIFIER "${folder}" folder)
    math(EXPR group "0${joined_${folder}} / 12")
    math(EXPR joined_${folder} "0${joined_${folder}} + 1")
    set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${folder}_${group}")
  endforeach()
endfunction()

# Under a sanitizer what nearly every file includes is parsed once for a target, which saves a quarter of the time.
set(tg_usual_headers <algorithm> <cmath> <functional> <map> <memory> <numeric> <optional> <ranges> <span> <string> <unordered_map>
  <unordered_set> <vector> <fmt/format.h>)
