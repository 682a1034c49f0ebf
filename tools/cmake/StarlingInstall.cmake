# The ten reference layers as one library, starling::starling, for find_package(starling).

set(objects)
set(header_dirs)
set(libs)
foreach(layer IN LISTS STARLING_LAYERS)
    if(TARGET starling_solutions_${layer})
        get_target_property(type starling_solutions_${layer} TYPE)
        if(NOT type STREQUAL "INTERFACE_LIBRARY")
            list(APPEND objects $<TARGET_OBJECTS:starling_solutions_${layer}>)
        endif()
        list(APPEND header_dirs "${PROJECT_SOURCE_DIR}/solutions/${layer}/include")
        set(top starling_solutions_${layer})
    endif()
endforeach()
if(NOT objects)
    return()
endif()

add_library(starling STATIC ${objects})
add_library(starling::starling ALIAS starling)
set_target_properties(starling PROPERTIES LINKER_LANGUAGE CXX EXPORT_NAME starling)
# The build tree's users get the layers' include directories, an installation one directory.
foreach(dir IN LISTS header_dirs)
    target_include_directories(starling INTERFACE $<BUILD_INTERFACE:${dir}>)
endforeach()
target_include_directories(starling INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(starling PUBLIC starling_language liburing::liburing)

foreach(dir IN LISTS header_dirs)
    install(DIRECTORY "${dir}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
            FILES_MATCHING PATTERN "*.hh")
endforeach()
install(TARGETS starling starling_language EXPORT starlingTargets)
set(package "${CMAKE_INSTALL_LIBDIR}/cmake/starling")
install(EXPORT starlingTargets NAMESPACE starling:: DESTINATION "${package}")

include(CMakePackageConfigHelpers)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/starlingConfigVersion.cmake"
                                 COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_LIST_DIR}/starlingConfig.cmake"
              "${CMAKE_CURRENT_LIST_DIR}/Findliburing.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/starlingConfigVersion.cmake"
        DESTINATION "${package}")
