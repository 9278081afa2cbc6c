# Each bench/<name>.cpp becomes the binary bin/bench_<name>, linked with Google Benchmark where that is installed.
find_package(benchmark QUIET)
find_package(TBB QUIET)
file(GLOB tg_bench_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/bench/*.cpp")
foreach(source IN LISTS tg_bench_sources)
  get_filename_component(name "${source}" NAME_WE)
  add_executable(bench_${name} "${source}")
  set_target_properties(bench_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  target_include_directories(bench_${name} PRIVATE "${PROJECT_SOURCE_DIR}/src")
  target_compile_definitions(bench_${name} PRIVATE TG_BENCH_DIR="${PROJECT_SOURCE_DIR}/bench")  # where the peers' scripts are
  target_link_libraries(bench_${name} PRIVATE tg tg_options fmt::fmt Threads::Threads ${CMAKE_DL_LIBS})
  if(benchmark_FOUND)
    target_link_libraries(bench_${name} PRIVATE benchmark::benchmark)
  endif()
  if(TBB_FOUND AND name STREQUAL "sort")  # a peer; measured alone where it is missing
    target_link_libraries(bench_${name} PRIVATE TBB::tbb)
    target_compile_definitions(bench_${name} PRIVATE TG_TBB)
  endif()
endforeach()
