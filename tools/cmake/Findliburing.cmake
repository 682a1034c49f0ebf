# liburing::liburing, empty where the system has no io_uring. Installed beside starlingConfig.cmake.
find_path(liburing_INCLUDE_DIR liburing.h)
find_library(liburing_LIBRARY uring)
mark_as_advanced(liburing_INCLUDE_DIR liburing_LIBRARY)

include(FindPackageHandleStandardArgs)
set(liburing_FIND_QUIETLY ON)
find_package_handle_standard_args(liburing REQUIRED_VARS liburing_LIBRARY liburing_INCLUDE_DIR)

if(NOT TARGET liburing::liburing)
    if(liburing_FOUND)
        add_library(liburing::liburing UNKNOWN IMPORTED)
        set_target_properties(liburing::liburing PROPERTIES
            IMPORTED_LOCATION "${liburing_LIBRARY}"
            INTERFACE_INCLUDE_DIRECTORIES "${liburing_INCLUDE_DIR}")
    elseif(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
        add_library(liburing::liburing INTERFACE IMPORTED)
    endif()
endif()
