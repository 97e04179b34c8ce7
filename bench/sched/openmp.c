/* flags: -fopenmp */
/* OpenMP's side of the ranges, with each of its schedules.
 *
 *     bench_sched_openmp flat|skewed THREADS SIZE RUNS SCHEDULE      prints the seconds of each run */
#include <omp.h>

#include "measure.h"
#include "questions.h"

static void flat(uint64_t *out, long size) {
#pragma omp parallel for schedule(runtime)
    for (long i = 0; i < size; i++) {
        out[i] = question_flat((uint64_t)i);
    }
}

static void skewed(uint64_t *out, long size) {
#pragma omp parallel for schedule(runtime)
    for (long i = 0; i < size; i++) {
        out[i] = question_skewed((uint64_t)i);
    }
}

int main(int argc, char **argv) {
    if (argc != 6) {
        return 2;
    }
    long size = atol(argv[3]);
    int runs = atoi(argv[4]);
    const char *schedule = argv[5];
    int chunk = strcmp(argv[1], "flat") == 0 ? 64 : 1;
    omp_set_num_threads(atoi(argv[2]));
    omp_set_schedule(strcmp(schedule, "static") == 0    ? omp_sched_static
                     : strcmp(schedule, "dynamic") == 0 ? omp_sched_dynamic
                                                        : omp_sched_guided,
                     strcmp(schedule, "static") == 0 ? 0 : chunk);
    uint64_t *out = calloc((size_t)size + 1, sizeof *out);
    for (int i = -1; i < runs; i++) {
        memset(out, 0, (size_t)size * sizeof *out);
        double begin = measure_now();
        if (strcmp(argv[1], "flat") == 0) {
            flat(out, size);
        } else {
            skewed(out, size);
        }
        double seconds = measure_now() - begin;
        question_check(argv[1], size, 0, out);
        if (i >= 0) {
            printf("%.9f\n", seconds);
        }
    }
    free(out);
    return 0;
}
