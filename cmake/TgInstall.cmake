# `cmake --install build/release --prefix /where`: headers, library, command, and the files that find_package(tg) reads.
include(CMakePackageConfigHelpers)
set(tg_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tg")

install(TARGETS tg EXPORT tg-targets)
if(TARGET tg_command)
  set_target_properties(tg_command PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS tg_command)
endif()
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/tg" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp" PATTERN "*.def")
install(EXPORT tg-targets NAMESPACE tg:: DESTINATION "${tg_package_dir}")
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/tg-config.cmake.in" "${PROJECT_BINARY_DIR}/tg-config.cmake"
  INSTALL_DESTINATION "${tg_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tg-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tg-config.cmake" "${PROJECT_BINARY_DIR}/tg-config-version.cmake" DESTINATION "${tg_package_dir}")
