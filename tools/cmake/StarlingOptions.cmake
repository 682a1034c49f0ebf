# Options, and the interface target that carries warnings and flags to every target of this project.

set(STARLING_BASE solutions CACHE STRING "What a step is stacked on: solutions or steps")
set_property(CACHE STARLING_BASE PROPERTY STRINGS solutions steps)
if(NOT STARLING_BASE MATCHES "^(solutions|steps)$")
    message(FATAL_ERROR "STARLING_BASE is \"${STARLING_BASE}\"; use solutions or steps.")
endif()
set(STARLING_STEPS_DIR "${PROJECT_SOURCE_DIR}/steps" CACHE PATH "Where the steps are")
set(STARLING_ALT_DIR "" CACHE PATH "Files in here, NN_name/..., replace those of solutions/")
set(STARLING_SANITIZE "" CACHE STRING "Empty, \"address,undefined\" or \"thread\"")
option(STARLING_WERROR "Warnings are errors (the project's own suite)" OFF)
option(STARLING_TIDY "Run clang-tidy on every file" OFF)
option(STARLING_COVERAGE "Source-based coverage (clang)" OFF)
option(STARLING_CCACHE "Use ccache where it is installed" ON)
option(STARLING_PCH "Precompile GoogleTest's header" ON)

if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON)

find_program(STARLING_CCACHE_PROGRAM ccache)
if(STARLING_CCACHE AND STARLING_CCACHE_PROGRAM AND PROJECT_IS_TOP_LEVEL)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros
        "${STARLING_CCACHE_PROGRAM}")
endif()

if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    set(is_clang 1)
else()
    set(is_clang 0)
endif()

# What a user of the library needs as well.
add_library(starling_language INTERFACE)
target_compile_features(starling_language INTERFACE cxx_std_20)
if(NOT is_clang)
    # Symmetric transfer is a tail call; GCC makes them only on request below -O2.
    target_compile_options(starling_language INTERFACE -foptimize-sibling-calls)
endif()
find_package(Threads REQUIRED)
target_link_libraries(starling_language INTERFACE Threads::Threads)

# What only this project's own targets need.
add_library(starling_options INTERFACE)
target_link_libraries(starling_options INTERFACE starling_language)
target_compile_options(starling_options INTERFACE
    -Wall -Wextra
    $<$<BOOL:${STARLING_WERROR}>:-Werror>
    # GCC guesses, and guesses wrong, about a std::optional that is asked before it is read.
    $<IF:$<BOOL:${is_clang}>,-fcolor-diagnostics;-Xclang;-fno-pch-timestamp,-Wno-maybe-uninitialized>
    $<$<CONFIG:Release>:-O2>)
target_compile_definitions(starling_options INTERFACE $<$<CONFIG:Debug>:_GLIBCXX_ASSERTIONS>)

# A blank exercise leaves unused things behind; whoever compiles a step does not want to hear of it.
add_library(starling_blank_options INTERFACE)
target_compile_options(starling_blank_options INTERFACE
    -Wno-unused-parameter -Wno-unused-function -Wno-unused-variable -Wno-unused-but-set-variable
    -Wno-unused-local-typedefs
    $<${is_clang}:-Wno-unused-private-field;-Wno-unused-member-function;-Wno-unused-lambda-capture>
    $<${is_clang}:-Wno-unneeded-internal-declaration;-Wno-unused-const-variable>)

# Symmetric transfer is no tail call under GCC's address and thread sanitizers, so a long chain of
# coroutines overflows the stack.
if(NOT is_clang AND STARLING_SANITIZE MATCHES "address")
    message(STATUS "GCC: only the undefined-behaviour sanitizer; with clang it would be ${STARLING_SANITIZE}")
    set(STARLING_SANITIZE "undefined")
elseif(NOT is_clang AND STARLING_SANITIZE)
    message(WARNING "Under GCC's ${STARLING_SANITIZE} sanitizer long chains of coroutines overflow the "
                    "stack. Remedy: use clang for this preset.")
endif()
if(STARLING_SANITIZE)
    set(flags -fsanitize=${STARLING_SANITIZE} -fno-omit-frame-pointer)
    if(STARLING_SANITIZE MATCHES "undefined")
        # vptr reads memory through pipes: a false alarm where a test has used up the descriptors. What
        # it would find is a use after free, and AddressSanitizer says that better.
        list(APPEND flags -fno-sanitize-recover=undefined -fno-sanitize=vptr)
    endif()
    include(CheckCXXSourceCompiles)
    set(CMAKE_REQUIRED_FLAGS "-fsanitize=${STARLING_SANITIZE}")
    check_cxx_source_compiles("int main() {}" STARLING_SANITIZER_WORKS)
    unset(CMAKE_REQUIRED_FLAGS)
    if(NOT STARLING_SANITIZER_WORKS)
        message(FATAL_ERROR "The compiler's sanitizer libraries are missing. "
                            "Remedy: sudo apt install libclang-rt-19-dev, or run ./workshop.")
    endif()
    target_compile_options(starling_options INTERFACE ${flags})
    target_link_options(starling_options INTERFACE ${flags})
endif()
if(STARLING_COVERAGE)
    set(flags -fprofile-instr-generate -fcoverage-mapping)
    target_compile_options(starling_options INTERFACE ${flags})
    target_link_options(starling_options INTERFACE ${flags})
endif()
if(STARLING_TIDY)
    find_program(STARLING_TIDY_PROGRAM
                 NAMES clang-tidy-19 clang-tidy-18 clang-tidy-17 clang-tidy-16)
    if(NOT STARLING_TIDY_PROGRAM)
        message(FATAL_ERROR "clang-tidy 16 or newer was not found. "
                            "Remedy: sudo apt install clang-tidy-19.")
    endif()
    set(CMAKE_CXX_CLANG_TIDY "${STARLING_TIDY_PROGRAM}")
    set(STARLING_PCH OFF)
endif()
