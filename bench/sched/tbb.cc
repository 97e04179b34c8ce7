/* link: tbb */
/* oneTBB's side of the questions that run.py asks.
 *
 *     bench_sched_tbb QUESTION THREADS SIZE RUNS      prints the seconds of each run */
#include <cstdlib>
#include <cstring>

#include <oneapi/tbb.h>

#include "measure.h"
#include "questions.h"

static long fib(int n) {
    if (n < 2) {
        return n;
    }
    long left, right;
    tbb::task_group group;
    group.run([&] { left = fib(n - 1); });
    right = fib(n - 2);
    group.wait();
    return left + right;
}

static void spawn(long size, unsigned char *marks) {
    tbb::task_group group;
    for (long i = 0; i < size; i++) {
        group.run([=] { marks[i] = 1; });
    }
    group.wait();
}

int main(int argc, char **argv) {
    if (argc != 5) {
        return 2;
    }
    const char *question = argv[1];
    int threads = std::atoi(argv[2]), runs = std::atoi(argv[4]);
    long size = std::atol(argv[3]);
    tbb::global_control control(tbb::global_control::max_allowed_parallelism, (size_t)threads);
    unsigned char *marks = (unsigned char *)std::calloc((size_t)size + 1, 1);
    for (int i = -1; i < runs; i++) {
        std::memset(marks, 0, (size_t)size);
        double begin = measure_now();
        long answer = 0;
        if (std::strcmp(question, "fork_join") == 0) {
            answer = fib((int)size);
        } else {
            spawn(size, marks);
        }
        double seconds = measure_now() - begin;
        question_check(question, size, answer, marks);
        if (i >= 0) {
            std::printf("%.9f\n", seconds);
        }
    }
    std::free(marks);
    return 0;
}
