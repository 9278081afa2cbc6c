# Tests, by where they lie; all of them run with ctest, `./do test` also counts the single cases.
#   tests/<layer>/*_test.cpp   one GoogleTest binary test_<layer>, one ctest test <layer>
#                              the layers of tg_variant_layers again as <layer>_eager (every op at once) and <layer>_opencl (on PoCL)
#   tests/<name>/run.py        a script, one ctest test <name>; ends with a line `N passed, N failed`
find_package(GTest REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_program(TG_CLANG NAMES clang++-19)

# GoogleTest's macros take longer to optimise than to run. The library is compiled as its preset says.
if(CMAKE_BUILD_TYPE STREQUAL Debug)
  set(tg_test_optimisation -O0)
else()
  set(tg_test_optimisation -O1)
endif()

set(tg_variant_layers tensor engine nn)
# TG_FUZZ: the part of their budget that fuzz tests spend. The page of operations is of devices that compute nothing.
set(tg_variant_eager "TG_EAGER=1;TG_FUZZ=0.3;GTEST_FILTER=-Ops.ThePage*")
# PoCL takes a tenth of a second for each kernel; so what happens above a device is left out there: derivatives of compositions,
# transformations, threads, errors, which plans are kept, what is made of random numbers, layers that are made of others.
set(tg_left_out_on_opencl Rows Vmap Transform Checkpoint Gradcheck Enormous Sharing Kept Recurrent)
list(TRANSFORM tg_left_out_on_opencl APPEND ".*")
list(APPEND tg_left_out_on_opencl Random.Distributions Random.Choices Random.WeightsToStartWith Sums.*AnyNumberOfThreads Ops.ThePage*
     Transformers.AreStacksOfCopies)
list(JOIN tg_left_out_on_opencl ":" tg_left_out_on_opencl)
set(tg_variant_opencl "TG_DEVICE=opencl;TG_FUZZ=0.1;GTEST_FILTER=-${tg_left_out_on_opencl}")

# PoCL would also vectorise loops over threads, a tenth of its time, which no test looks at. It calls the linker for each kernel, a third of
# its time with that which it finds first; with gold half of that.
set(tg_pocl POCL_WORK_GROUP_METHOD=loops)
find_program(TG_GOLD ld.gold)
if(TG_GOLD)
  file(MAKE_DIRECTORY "${PROJECT_BINARY_DIR}/linker")
  file(CREATE_LINK "${TG_GOLD}" "${PROJECT_BINARY_DIR}/linker/ld" SYMBOLIC)
  list(APPEND tg_pocl "COMPILER_PATH=${PROJECT_BINARY_DIR}/linker")
endif()

# Adds the binary test_<layer> to ctest under a name, with variables set; kernels are cached below the build directory.
function(tg_add_unit_test name layer)
  add_test(NAME ${name} COMMAND test_${layer} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 1200
    ENVIRONMENT "TG_CACHE_DIR=${PROJECT_BINARY_DIR}/test_cache;${tg_pocl};${ARGN}")
endfunction()

file(GLOB tg_test_dirs CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/tests/*")
foreach(dir IN LISTS tg_test_dirs)
  get_filename_component(name "${dir}" NAME)
  file(GLOB sources CONFIGURE_DEPENDS "${dir}/*_test.cpp")
  if(sources)
    add_executable(test_${name} ${sources})
    tg_join_sources(test_${name})
    set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
    target_include_directories(test_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/tests")
    target_include_directories(test_${name} SYSTEM PRIVATE "${TG_LLVM_INCLUDE_DIR}")
    target_compile_definitions(test_${name} PRIVATE TG_SOURCE_DIR="${PROJECT_SOURCE_DIR}" TG_BINARY_DIR="${PROJECT_BINARY_DIR}")
    target_compile_options(test_${name} PRIVATE ${tg_test_optimisation})
    target_link_libraries(test_${name} PRIVATE tg tg_options fmt::fmt GTest::gmock GTest::gtest_main nlohmann_json::nlohmann_json
      SQLite::SQLite3 ZLIB::ZLIB PNG::PNG Threads::Threads ${CMAKE_DL_LIBS})
    if(TG_SANITIZE AND tg_test_with_headers)
      target_precompile_headers(test_${name} REUSE_FROM ${tg_test_with_headers})
    elseif(TG_SANITIZE)
      set(tg_test_with_headers test_${name})
      target_precompile_headers(test_${name} PRIVATE ${tg_usual_headers} <gmock/gmock.h> <gtest/gtest.h>)
    endif()
    tg_add_unit_test(${name} ${name})
    if(name IN_LIST tg_variant_layers)
      foreach(variant eager opencl)
        tg_add_unit_test(${name}_${variant} ${name} ${tg_variant_${variant}})
      endforeach()
    endif()
  endif()
  if(EXISTS "${dir}/run.py")
    add_test(NAME ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" COMMAND Python3::Interpreter "${dir}/run.py"
      --source "${PROJECT_SOURCE_DIR}" --build "${PROJECT_BINARY_DIR}" --cxx "${CMAKE_CXX_COMPILER}" --clang "${TG_CLANG}")
    set_tests_properties(${name} PROPERTIES LABELS script TIMEOUT 1800 ENVIRONMENT "TG_CACHE_DIR=${PROJECT_BINARY_DIR}/test_cache")
  endif()
endforeach()

# Seconds of one core, in the rough: what takes long begins first, so that at the end no core waits for another.
foreach(cost tensor_opencl=200 python=200 engine=150 codegen=140 new_op=100 consumer=100 engine_opencl=60 tensor_eager=45 tensor=30)
  string(REPLACE "=" ";" cost "${cost}")
  list(GET cost 0 name)
  list(GET cost 1 seconds)
  if(TEST ${name})
    set_tests_properties(${name} PROPERTIES COST ${seconds})
  endif()
endforeach()
