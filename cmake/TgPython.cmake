# The Python module: <build>/python/tg, importable as it lies there. For Debian's own python3, which has NumPy and PyTorch, unless
# Python_EXECUTABLE names another. Without pybind11 it is left out; `./do python` installs what is missing.
set(tg_debian_python /usr/bin/python3)
if(NOT Python_EXECUTABLE AND EXISTS "${tg_debian_python}")
  set(Python_EXECUTABLE "${tg_debian_python}" CACHE FILEPATH "The interpreter that the module is built for")
endif()
find_package(Python 3.11 QUIET COMPONENTS Interpreter Development.Module)
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 QUIET)
if(NOT Python_Development.Module_FOUND OR NOT pybind11_FOUND)
  message(STATUS "The Python module is not built: it needs pybind11-dev and python3-dev")
  return()
endif()

set(tg_python_dir "${PROJECT_BINARY_DIR}/python/tg")
file(GLOB tg_python_sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/python/*.cpp")
file(GLOB_RECURSE tg_python_modules CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/python/tg" "${PROJECT_SOURCE_DIR}/python/tg/*.py"
  "${PROJECT_SOURCE_DIR}/python/tg/py.typed")
pybind11_add_module(tg_python MODULE NO_EXTRAS ${tg_python_sources})
set_target_properties(tg_python PROPERTIES OUTPUT_NAME _tg LIBRARY_OUTPUT_DIRECTORY "${tg_python_dir}")
tg_join_sources(tg_python)
# A function from Python is a std::function where this header says so; joined with others it would say so of schedules, which have a class.
set_source_files_properties(python/loader.cpp python/transform.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
target_include_directories(tg_python PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/src")
target_link_libraries(tg_python PRIVATE tg tg_options)
target_compile_options(tg_python PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O1>)  # arguments are taken and handed on: three quarters of the time
foreach(module IN LISTS tg_python_modules)
  add_custom_command(OUTPUT "${tg_python_dir}/${module}" DEPENDS "${PROJECT_SOURCE_DIR}/python/tg/${module}"
    COMMAND "${CMAKE_COMMAND}" -E copy "${PROJECT_SOURCE_DIR}/python/tg/${module}" "${tg_python_dir}/${module}")
  list(APPEND tg_python_copies "${tg_python_dir}/${module}")
endforeach()
add_custom_target(tg_python_modules ALL DEPENDS ${tg_python_copies})
add_dependencies(tg_python tg_python_modules)

# The stub that type checkers and editors read, from the docstrings of what was built.
add_custom_command(TARGET tg_python POST_BUILD
  COMMAND "${Python_EXECUTABLE}" "${PROJECT_SOURCE_DIR}/python/stubs.py" "${PROJECT_BINARY_DIR}/python"
  BYPRODUCTS "${tg_python_dir}/_tg.pyi")

# Installed with the library in the package, so that a virtual environment needs nothing else:
#   cmake --install build/release --component python --prefix .venv
set(TG_PYTHON_INSTALL_DIR "lib/python${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}/site-packages" CACHE STRING
  "Where the package tg is installed, below the prefix")
set_target_properties(tg_python PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS tg_python LIBRARY DESTINATION "${TG_PYTHON_INSTALL_DIR}/tg" COMPONENT python)
if(BUILD_SHARED_LIBS)
  install(TARGETS tg LIBRARY DESTINATION "${TG_PYTHON_INSTALL_DIR}/tg" COMPONENT python NAMELINK_SKIP)
endif()
install(DIRECTORY "${tg_python_dir}" DESTINATION "${TG_PYTHON_INSTALL_DIR}" COMPONENT python
  FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed" PATTERN "__pycache__" EXCLUDE)
