/* Loops that numpy cannot run in one pass over what they read. worker/native/library.py loads them,
   and the modules beside it check shapes and types before a call; arrays are C-contiguous.

   Nothing here allocates, keeps state or includes more than the compiler's own headers: gcc and
   clang build it for any system. */

#ifndef NEEDLE_KERNELS_H
#define NEEDLE_KERNELS_H

#include <stdint.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

static inline float smaller(float a, float b) { return a < b ? a : b; }
static inline float larger(float a, float b) { return a > b ? a : b; }
static inline int64_t within(int64_t n, int64_t low, int64_t high) {
    return n < low ? low : n > high ? high : n;
}

#endif
