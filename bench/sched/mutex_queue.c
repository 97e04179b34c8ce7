/* A queue under a mutex with a condition, as many a program has it: the rival that is always there.
 *
 *     bench_sched_mutex_queue spawn THREADS SIZE RUNS      prints the seconds of each run */
#include <pthread.h>
#include <stdbool.h>

#include "measure.h"
#include "questions.h"

struct entry {
    void (*function)(void *user);
    void *user;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t work = PTHREAD_COND_INITIALIZER, idle = PTHREAD_COND_INITIALIZER;
static struct entry *entries;
static long first, last, pending;
static bool closing;

static void mark(void *user) {
    *(unsigned char *)user = 1;
}

static void *run(void *user) {
    (void)user;
    (void)pthread_mutex_lock(&lock);
    for (;;) {
        while (first == last && !closing) {
            (void)pthread_cond_wait(&work, &lock);
        }
        if (first == last) {
            break;
        }
        struct entry entry = entries[first++];
        (void)pthread_mutex_unlock(&lock);
        entry.function(entry.user);
        (void)pthread_mutex_lock(&lock);
        if (--pending == 0) {
            (void)pthread_cond_signal(&idle);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return NULL;
}

static void spawn(long size, unsigned char *marks) {
    first = last = 0;
    for (long i = 0; i < size; i++) {
        (void)pthread_mutex_lock(&lock);
        entries[last++] = (struct entry){mark, &marks[i]};
        pending++;
        (void)pthread_mutex_unlock(&lock);
        (void)pthread_cond_signal(&work);
    }
    (void)pthread_mutex_lock(&lock);
    while (pending > 0) {
        (void)pthread_cond_wait(&idle, &lock);
    }
    (void)pthread_mutex_unlock(&lock);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        return 2;
    }
    int threads = atoi(argv[2]), runs = atoi(argv[4]);
    long size = atol(argv[3]);
    pthread_t workers[64];
    unsigned char *marks = calloc((size_t)size + 1, 1);
    entries = calloc((size_t)size, sizeof *entries);
    for (int i = 0; i < threads; i++) {
        (void)pthread_create(&workers[i], NULL, run, NULL);
    }
    for (int i = -1; i < runs; i++) {
        memset(marks, 0, (size_t)size);
        double begin = measure_now();
        spawn(size, marks);
        double seconds = measure_now() - begin;
        question_check("spawn", size, 0, marks);
        if (i >= 0) {
            printf("%.9f\n", seconds);
        }
    }
    (void)pthread_mutex_lock(&lock);
    closing = true;
    (void)pthread_cond_broadcast(&work);
    (void)pthread_mutex_unlock(&lock);
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(workers[i], NULL);
    }
    free(entries);
    free(marks);
    return 0;
}
