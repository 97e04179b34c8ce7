/* Medians of repeated runs, and the lines that bench/run.py gathers. */
#ifndef STOA_BENCH_MEASURE_H
#define STOA_BENCH_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double measure_now(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline int measure_compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/// Sorts `values` and returns the middle one.
static inline double measure_median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, measure_compare);
    return values[count / 2];
}

/// Less is better: ours and theirs are times.
static inline void measure_ratio(const char *name, int threads, double ours, const char *unit,
                                 const char *rival, double theirs) {
    printf("ratio %s.%dt %.3f %s vs %s %.3f = %.2fx\n", name, threads, ours, unit, rival, theirs,
           theirs / ours);
    (void)fflush(stdout);
}

#endif
