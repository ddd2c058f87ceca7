/* Loops that numpy cannot run in one pass over what they read. Called by worker/native/__init__.py.

   Nothing here allocates, keeps state or calls a library: any C compiler builds it, for any system.
   Arrays are C-contiguous; their shapes and types are checked before a call. */

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
