# Zig's C++ compiler (the package ziglang) for Linux of PROCESSOR, against the oldest glibc that manylinux_2_17 asks for.
# Its libc++ is linked in whole, so a wheel wants nothing of the machine's own C++ runtime.
set(PROCESSOR x86_64 CACHE STRING "x86_64 or aarch64")
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES PROCESSOR)
# Checks of the compiler link nothing: without optimisation a program would have all of libc++ compiled once more.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${PROCESSOR})
find_program(ZIG python-zig REQUIRED)
set(CMAKE_CXX_COMPILER ${ZIG} c++)
set(CMAKE_CXX_COMPILER_TARGET ${PROCESSOR}-linux-gnu.2.17)
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/zig-ar)
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/zig-ranlib)
set(PYBIND11_USE_CROSSCOMPILING ON)
# A process may hold another C++ runtime: nothing of ours is seen outside the module, and its symbols are not there.
set(CMAKE_MODULE_LINKER_FLAGS_INIT "-Wl,--version-script=${CMAKE_CURRENT_LIST_DIR}/module.map -Wl,--strip-all")
