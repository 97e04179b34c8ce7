/* Threads that get from one view whose files nobody has read yet: each finds what was written, whoever
 * opens a segment, checks a filter or takes samples of keys first. */
#include <pthread.h>

#include "lsm/get.h"
#include "view_history.h"

enum { THREADS = 4, ROUNDS = 12 };

struct shared {
    struct history history;
    struct history_row expected[HISTORY_KEYS];
    pthread_barrier_t start;
    _Atomic int failures;
};

struct reader {
    pthread_t thread;
    struct shared *shared;
    int32_t first; /* keys are read from here on, so that threads meet in different places */
};

static bool is_row(const struct history_row *expected, int32_t id, const stoa_cell *cells) {
    return cells[1].i == id && cells[2].is_null == !expected->has_amount &&
           (cells[2].is_null || cells[2].i == expected->amount) &&
           cells[3].is_null == !expected->has_text &&
           (cells[3].is_null || cells[3].size == strlen(expected->text)) &&
           cells[4].i == expected->seen_ms * 1000;
}

static void *get_all(void *user) {
    const struct reader *reader = user;
    struct shared *shared = reader->shared;
    const struct history *history = &shared->history;
    const stoa_view_reading reading = {.view = history->view, .snapshot = UINT64_MAX};
    stoa_row *row = NULL;
    stoa_error err;
    int failures = stoa_row_create_for(history->world.pool, history->definition, NULL, 0, &row,
                                       &err) != STOA_OK;
    pthread_barrier_wait(&shared->start);
    for (int32_t i = 0; i < HISTORY_KEYS && failures == 0; i++) {
        const int32_t id = (reader->first + i) % HISTORY_KEYS;
        const stoa_buffer *key = &history->keys[id];
        bool found = false;
        failures += stoa_view_get(&reading, key->data, key->size, row, &found, &err) != STOA_OK;
        failures += found != shared->expected[id].is_there;
        failures += found && !is_row(&shared->expected[id], id, stoa_row_cells(row));
    }
    stoa_row_close(row);
    atomic_fetch_add(&shared->failures, failures);
    return NULL;
}

static void threads_find_what_was_written(void **state) {
    static struct shared shared;
    support_random random = support_random_open("lsm.thread_get");
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct reader readers[THREADS];
        history_open(&random, round % 3, &shared.history);
        atomic_store(&shared.failures, 0);
        for (int32_t id = 0; id < HISTORY_KEYS; id++) {
            history_look(&shared.history, id, UINT64_MAX, 0, &shared.expected[id]);
        }
        assert_int_equal(pthread_barrier_init(&shared.start, NULL, THREADS), 0);
        for (int i = 0; i < THREADS; i++) {
            readers[i] = (struct reader){.shared = &shared, .first = i * 31 % HISTORY_KEYS};
            assert_int_equal(pthread_create(&readers[i].thread, NULL, get_all, &readers[i]), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
        }
        pthread_barrier_destroy(&shared.start);
        assert_int_equal(atomic_load(&shared.failures), 0);
        history_close(&shared.history);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_find_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
