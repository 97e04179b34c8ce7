/* How long a running load goes on after its token was triggered, until stoa_load has returned with
 * everything it made removed: bench_ingest_cancel FILE DIRECTORY THREADS TRIALS
 *
 * Each trial waits for another length of time, so that all parts of a load are met. Prints the median,
 * the 95th percentile and the longest. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <stoa/stoa.h>

enum { TRIALS_MAX = 1000, WAIT_MS_FIRST = 20, WAIT_MS_STEP = 23 };

struct load {
    stoa_database *database;
    const char *path;
    stoa_cancel *cancel;
    stoa_status status;
    stoa_error error;
    int64_t ended_ns;
};

static int64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *run_load(void *user) {
    struct load *load = user;
    stoa_load_options options = STOA_LOAD_DEFAULT;
    stoa_load_report report;
    options.context.cancel = load->cancel;
    load->status = stoa_load(load->database, "t", &load->path, 1, &options, &report, &load->error);
    load->ended_ns = now_ns();
    return NULL;
}

/* Nanoseconds from the trigger to the return; -1 when the load was done before. */
static int64_t measure(struct load *load, int64_t wait_ms) {
    pthread_t thread;
    stoa_error err = STOA_ERROR_NONE;
    struct timespec pause = {.tv_sec = wait_ms / 1000, .tv_nsec = wait_ms % 1000 * 1000000};
    load->error = (stoa_error)STOA_ERROR_NONE;
    if (stoa_cancel_create(NULL, &load->cancel, &err) != STOA_OK ||
        pthread_create(&thread, NULL, run_load, load) != 0) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    (void)nanosleep(&pause, NULL);
    int64_t triggered_ns = now_ns();
    stoa_cancel_trigger(load->cancel);
    (void)pthread_join(thread, NULL);
    stoa_cancel_close(load->cancel);
    if (load->status == STOA_OK) {
        if (stoa_table_drop(load->database, "t", &err) != STOA_OK) {
            exit(1);
        }
        return -1;
    }
    if (load->status != STOA_CANCELLED) {
        (void)fprintf(stderr, "%s\n", load->error.message);
        exit(1);
    }
    return load->ended_ns - triggered_ns;
}

static int compare(const void *left, const void *right) {
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

int main(int count, char **words) {
    static int64_t samples[TRIALS_MAX];
    stoa_error err = STOA_ERROR_NONE;
    stoa_database_options options = STOA_DATABASE_DEFAULT;
    if (count != 5 || atoi(words[4]) < 1 || atoi(words[4]) > TRIALS_MAX) {
        (void)fputs("usage: bench_ingest_cancel FILE DIRECTORY THREADS TRIALS\n", stderr);
        return 2;
    }
    struct load load = {.path = words[1]};
    options.create = true;
    options.threads = atoi(words[3]);
    if (stoa_database_open(words[2], &options, &load.database, &err) != STOA_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    int trials = 0;
    for (int i = 0; i < atoi(words[4]); i++) {
        int64_t sample = measure(&load, WAIT_MS_FIRST + i * WAIT_MS_STEP % 1500);
        if (sample >= 0) {
            samples[trials++] = sample;
        }
    }
    stoa_database_close(load.database);
    if (trials == 0) {
        return 1;
    }
    qsort(samples, (size_t)trials, sizeof samples[0], compare);
    printf("figure load.cancel_latency.p50 %.3f ms\n", (double)samples[trials / 2] / 1e6);
    printf("figure load.cancel_latency.p95 %.3f ms\n", (double)samples[trials * 95 / 100] / 1e6);
    printf("figure load.cancel_latency.max %.3f ms\n", (double)samples[trials - 1] / 1e6);
    return 0;
}
