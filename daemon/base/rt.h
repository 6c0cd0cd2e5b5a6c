/*
 * The real-time promise and the assertions that stop the robot.
 *
 * BASAL_RT at the end of a prototype means: bounded, no allocation, lock, sleep, log or file.
 */
#pragma once

#if defined(__clang__) && __clang_major__ >= 20
#define BASAL_RT __attribute__((nonblocking))
#else
#define BASAL_RT
#endif

#define BASAL_MUST_USE __attribute__((warn_unused_result))
#define CACHE_LINE     64

/*
 * Say which promise of the program was broken, then abort(). The crash handler of the daemon
 * decides what the robot does: on the loop thread its configured stop, elsewhere a controlled stop.
 */
_Noreturn void basal_panic(const char *file, int line, const char *what);

/* Programmer errors only; stays on in release. */
#define basal_assert(cond) ((cond) ? (void)0 : basal_panic(__FILE__, __LINE__, #cond))
