# Test executables and their cases. Cases are found by scanning the sources at configure time, so
# nothing has to be built before `ctest -R step05` runs: that builds first, through a fixture.

option(STARLING_TESTS "Tests, benchmarks and demos" ${PROJECT_IS_TOP_LEVEL})
if(NOT STARLING_TESTS)
    return()
endif()

find_package(GTest QUIET)
find_package(benchmark QUIET)
if(NOT GTest_FOUND)
    message(FATAL_ERROR "GoogleTest was not found. Remedy: sudo apt install libgtest-dev, or run "
                        "./workshop; -DSTARLING_TESTS=OFF builds the library alone.")
endif()

set(starling_support "${CMAKE_CURRENT_SOURCE_DIR}/tests/support")
add_library(starling_todo_guard OBJECT EXCLUDE_FROM_ALL "${starling_support}/todo_guard.cc")
target_include_directories(starling_todo_guard PUBLIC "${starling_support}/include")
target_link_libraries(starling_todo_guard PRIVATE starling_options)

add_library(starling_test_main OBJECT EXCLUDE_FROM_ALL "${starling_support}/test_main.cc")
target_include_directories(starling_test_main PUBLIC "${starling_support}/include")
target_link_libraries(starling_test_main PRIVATE starling_options PUBLIC GTest::gtest)
if(STARLING_PCH)
    target_precompile_headers(starling_test_main PRIVATE <gtest/gtest.h> <chrono> <functional>
                              <map> <memory> <string> <thread> <vector>)
endif()

# For `./workshop` and the suite: all steps, or all references, whether or not each one compiles.
add_custom_target(step_tests)
add_custom_target(solution_tests)

set(starling_case_timeout 20)
if(STARLING_SANITIZE)
    set(starling_case_timeout 60)
endif()

# Debian's clang looks for a symbolizer in a package that it does not ask for; binutils has one, too.
find_program(STARLING_SYMBOLIZER NAMES llvm-symbolizer addr2line DOC "Names functions in sanitizer reports")
set(starling_case_environment "UBSAN_OPTIONS=print_stacktrace=1")
if(STARLING_SYMBOLIZER)
    set(option "external_symbolizer_path=${STARLING_SYMBOLIZER}")
    set(starling_case_environment
        "UBSAN_OPTIONS=print_stacktrace=1:${option};ASAN_OPTIONS=${option};TSAN_OPTIONS=${option}")
endif()

# Plain `ctest` hides what a failing test printed; this shows it after the summary.
find_program(STARLING_PYTHON python3 REQUIRED)
file(WRITE "${CMAKE_BINARY_DIR}/CTestCustom.cmake"
"set(CTEST_CUSTOM_POST_TEST \"\\\"${STARLING_PYTHON}\\\" \\\"${CMAKE_CURRENT_SOURCE_DIR}/tools/show_failures.py\\\"\")
set(CTEST_CUSTOM_MAXIMUM_FAILED_TEST_OUTPUT_SIZE 1000000)
")

# starling_add_cases(step05 test_step_05 starling_steps_05_timers a_test.cc ...)
function(starling_add_cases prefix target library)
    if(NOT ARGN)
        return()
    endif()
    add_executable(${target} EXCLUDE_FROM_ALL ${ARGN})
    target_link_libraries(${target} PRIVATE starling_options ${library} starling_test_main
                          starling_todo_guard)
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    if(STARLING_PCH)
        target_precompile_headers(${target} REUSE_FROM starling_test_main)
    endif()
    if(prefix MATCHES "^step")
        add_dependencies(step_tests ${target})
    else()
        add_dependencies(solution_tests ${target})
    endif()

    add_test(NAME ${prefix}.build
             COMMAND "${CMAKE_COMMAND}" --build "${CMAKE_BINARY_DIR}" --target ${target})
    set_tests_properties(${prefix}.build PROPERTIES
        FIXTURES_SETUP ${prefix} RESOURCE_LOCK build)

    set(all)
    foreach(source IN LISTS ARGN)
        _starling_scan_cases("${source}" cases)
        list(APPEND all ${cases})
    endforeach()
    list(REMOVE_DUPLICATES all)
    foreach(case IN LISTS all)
        string(REPLACE "|" ";" pair "${case}")
        list(GET pair 0 label)
        list(GET pair 1 filter)
        add_test(NAME ${prefix}.${label} COMMAND ${target} --gtest_filter=${filter})
        set_tests_properties(${prefix}.${label} PROPERTIES
            FIXTURES_REQUIRED ${prefix} TIMEOUT ${starling_case_timeout}
            SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]"
            ENVIRONMENT "${starling_case_environment}")
    endforeach()
endfunction()

# The cases of one source as "Suite.Case|gtest filter".
function(_starling_scan_cases source out)
    cmake_path(NORMAL_PATH source)  # Ninja takes a/../b and b for two files with one rule each.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${source}")
    set(cases)
    file(READ "${source}" text)
    string(REGEX REPLACE "//[^\n]*" "" text "${text}")
    string(REGEX MATCHALL
           "(^|\n)[ \t]*(TEST|TEST_F|TEST_P|TYPED_TEST|TYPED_TEST_P)\\([ \t\n]*[A-Za-z_0-9]+[ \t\n]*,[ \t\n]*[A-Za-z_0-9]+[ \t\n]*\\)"
           found "${text}")
    foreach(hit IN LISTS found)
        string(REGEX MATCH "([A-Z_]+)\\([ \t\n]*([A-Za-z_0-9]+)[ \t\n]*,[ \t\n]*([A-Za-z_0-9]+)"
               unused "${hit}")
        set(kind "${CMAKE_MATCH_1}")
        set(label "${CMAKE_MATCH_2}.${CMAKE_MATCH_3}")
        if(kind STREQUAL "TEST_P")
            set(filter "*/${label}/*")
        elseif(kind STREQUAL "TYPED_TEST")
            set(filter "${CMAKE_MATCH_2}/*.${CMAKE_MATCH_3}")
        elseif(kind STREQUAL "TYPED_TEST_P")
            set(filter "*/${CMAKE_MATCH_2}/*.${CMAKE_MATCH_3}")
        else()
            set(filter "${label}")
        endif()
        list(APPEND cases "${label}|${filter}")
    endforeach()
    set(${out} "${cases}" PARENT_SCOPE)
endfunction()
