# `cmake --install` and find_package(tg): headers, library, command and the package files.
include(CMakePackageConfigHelpers)
set(tg_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tg")
