# Picks a compiler when nobody chose one, and refuses those that miscompile coroutines.

function(_starling_good_compiler out path)
    execute_process(COMMAND "${path}" -dumpversion OUTPUT_VARIABLE version ERROR_QUIET
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    execute_process(COMMAND "${path}" --version OUTPUT_VARIABLE banner ERROR_QUIET)
    set(least 13)
    if(banner MATCHES "clang")
        set(least 16)
    endif()
    set(${out} OFF PARENT_SCOPE)
    if(version VERSION_GREATER_EQUAL least)
        set(${out} ON PARENT_SCOPE)
    endif()
endfunction()

if(NOT DEFINED CMAKE_CXX_COMPILER AND "$ENV{CXX}" STREQUAL "" AND NOT DEFINED CMAKE_TOOLCHAIN_FILE)
    foreach(name clang++-19 clang++-18 clang++-17 clang++-16 clang++ g++-15 g++-14 g++-13 g++)
        find_program(_starling_cxx ${name} NO_CACHE)
        if(_starling_cxx)
            _starling_good_compiler(good "${_starling_cxx}")
            if(good)
                set(CMAKE_CXX_COMPILER "${_starling_cxx}" CACHE FILEPATH "C++ compiler")
                break()
            endif()
        endif()
        unset(_starling_cxx)
    endforeach()
endif()

function(starling_check_compiler)
    set(version "${CMAKE_CXX_COMPILER_VERSION}")
    set(remedy "Remedy: sudo apt install clang-19, remove this build directory and configure again, "
               "or name a compiler: CXX=clang++-19. ./workshop does this for you.")
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND version VERSION_LESS 13)
        message(FATAL_ERROR
                "GCC ${version} cannot be used: it silently miscompiles coroutines. A body with "
                "co_await in a condition and no outermost local never runs (GCC bug 106188); by-value "
                "captures and aggregate temporaries are destroyed twice (99576, 100611, 101367). "
                "GCC 13 and clang 16 are fine.\n" ${remedy})
    elseif(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND version VERSION_LESS 16)
        message(FATAL_ERROR "clang ${version} is too old: clang 16 or newer is needed.\n" ${remedy})
    endif()
endfunction()
