/* A merge has one window a run. It hands out blocks of spans of these windows; a block ends where one of
 * them does, so that all that a block speaks of is there at once and the order of versions holds: the
 * next rows of a newer run are looked at before anything older goes out. */
#include "lsm/merge.h"

#include "base/bytes.h"
#include "lsm/merge_kernel.h"

enum { WINDOW_ROWS_MIN = 64, BLOCK_ROWS_MAX = 1 << 16 };

/* A run and where it stands. */
struct source {
    stoa_run_cursor *cursor;
    uint32_t next; /* row of its window */
};

struct stoa_merge {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    int32_t run_count;
    struct source *sources;
    stoa_run_window **windows;
    stoa_merge_state state;
    stoa_buffer heads;
    stoa_buffer spans;
    stoa_buffer loser_keys;
    stoa_buffer losers;
    stoa_buffer last_bytes; /* the key of the last block's last row */
};

static stoa_status open_runs(stoa_merge *merge, const stoa_run *runs, stoa_error *err) {
    const size_t count = (size_t)merge->run_count;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(merge->pool, count, sizeof *merge->windows, &memory, err));
    merge->windows = memory;
    STOA_TRY(stoa_pool_allocate_array(merge->pool, count, sizeof *merge->sources, &memory, err));
    merge->sources = memory;
    for (int32_t i = 0; i < merge->run_count; i++) {
        STOA_TRY(stoa_run_cursor_create(merge->pool, merge->layout, &runs[i],
                                        &merge->sources[i].cursor, err));
    }
    const size_t nodes = 4 * count + 2;
    STOA_TRY(stoa_buffer_reserve(&merge->heads, (count + 1) * sizeof(stoa_merge_head), err));
    STOA_TRY(stoa_buffer_reserve(&merge->loser_keys, nodes * sizeof(uint64_t), err));
    STOA_TRY(stoa_buffer_reserve(&merge->losers, nodes * sizeof(uint32_t), err));
    merge->state = (stoa_merge_state){
        .heads = (stoa_merge_head *)(void *)merge->heads.data,
        .is_number = merge->layout->key->is_number,
        .loser_keys = (uint64_t *)(void *)merge->loser_keys.data,
        .losers = (uint32_t *)(void *)merge->losers.data,
    };
    return STOA_OK;
}

stoa_status stoa_merge_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                              const stoa_run *runs, int32_t run_count, stoa_merge **out,
                              stoa_error *err) {
    void *memory = NULL;
    if (run_count > STOA_MERGE_RUNS_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "expected at most %d sorted runs to merge but found %" PRId32,
                         STOA_MERGE_RUNS_MAX, run_count);
    }
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_merge), &memory, err));
    stoa_merge *merge = memory;
    *merge = (stoa_merge){.pool = pool, .layout = layout, .run_count = run_count};
    stoa_buffer_init(&merge->heads, pool);
    stoa_buffer_init(&merge->spans, pool);
    stoa_buffer_init(&merge->loser_keys, pool);
    stoa_buffer_init(&merge->losers, pool);
    stoa_buffer_init(&merge->last_bytes, pool);
    const stoa_status status = open_runs(merge, runs, err);
    if (status != STOA_OK) {
        stoa_merge_close(merge);
        return status;
    }
    *out = merge;
    return STOA_OK;
}

static void release_windows(stoa_merge *merge) {
    for (int32_t i = 0; merge->windows != NULL && i < merge->run_count; i++) {
        stoa_run_window_release(merge->windows[i]);
        merge->windows[i] = NULL;
    }
}

void stoa_merge_close(stoa_merge *merge) {
    if (merge == NULL) {
        return;
    }
    const size_t count = (size_t)merge->run_count;
    release_windows(merge);
    for (size_t i = 0; merge->sources != NULL && i < count; i++) {
        stoa_run_cursor_close(merge->sources[i].cursor);
    }
    stoa_pool_free(merge->pool, merge->windows, count * sizeof *merge->windows);
    stoa_pool_free(merge->pool, merge->sources, count * sizeof *merge->sources);
    stoa_buffer_release(&merge->heads);
    stoa_buffer_release(&merge->spans);
    stoa_buffer_release(&merge->loser_keys);
    stoa_buffer_release(&merge->losers);
    stoa_buffer_release(&merge->last_bytes);
    stoa_pool_free(merge->pool, merge, sizeof *merge);
}

void stoa_merge_set_skip(stoa_merge *merge, int32_t run, stoa_run_skip skip, void *user) {
    stoa_run_cursor_set_skip(merge->sources[run].cursor, skip, user);
}

const stoa_run_cursor *stoa_merge_cursor(const stoa_merge *merge, int32_t run) {
    return merge->sources[run].cursor;
}

stoa_status stoa_merge_seek(stoa_merge *merge, const stoa_key_range *range, stoa_error *err) {
    release_windows(merge);
    merge->state.has_last = false;
    for (int32_t i = 0; i < merge->run_count; i++) {
        STOA_TRY(stoa_run_cursor_seek(merge->sources[i].cursor, range, err));
    }
    return STOA_OK;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

static stoa_merge_head head_of(const stoa_merge *merge, int32_t run) {
    const stoa_run_window *window = merge->windows[run];
    return (stoa_merge_head){.keys = window->keys,
                             .next = merge->sources[run].next,
                             .count = (uint32_t)window->count,
                             .run = (uint16_t)run,
                             .may_repeat = window->may_repeat};
}

/* A window with rows for every run that has any left, and their heads. */
static stoa_status fill_heads(stoa_merge *merge, int64_t max_rows, stoa_error *err) {
    stoa_merge_state *state = &merge->state;
    state->head_count = 0;
    for (int32_t i = 0; i < merge->run_count; i++) {
        stoa_run_window **window = &merge->windows[i];
        if (*window == NULL || merge->sources[i].next == (*window)->count) {
            stoa_run_window_release(*window);
            *window = NULL;
            merge->sources[i].next = 0;
            STOA_TRY(stoa_run_cursor_next(merge->sources[i].cursor, max_rows, window, err));
        }
        if (*window != NULL) {
            state->heads[state->head_count++] = head_of(merge, i);
        }
    }
    return STOA_OK;
}

/* What all keys begin with is what the least and the greatest of them have in common. */
static void set_common(stoa_merge *merge) {
    stoa_merge_state *state = &merge->state;
    const uint8_t *least = NULL, *greatest = NULL;
    size_t least_size = 0, greatest_size = 0, size;
    state->common = 0;
    for (int32_t i = 0; i < state->head_count; i++) {
        const stoa_merge_head *head = &state->heads[i];
        const uint8_t *key = stoa_keys_bytes(merge->layout->key, &head->keys, head->next, NULL,
                                             &size);
        if (i == 0 || stoa_bytes_compare(key, size, least, least_size) < 0) {
            least = key;
            least_size = size;
        }
        key = stoa_keys_bytes(merge->layout->key, &head->keys, head->count - 1, NULL, &size);
        if (i == 0 || stoa_bytes_compare(key, size, greatest, greatest_size) > 0) {
            greatest = key;
            greatest_size = size;
        }
    }
    while (state->common < least_size && state->common < greatest_size &&
           least[state->common] == greatest[state->common]) {
        state->common++;
    }
}

/* The key that the next block may go on with has to outlive the windows. */
static stoa_status keep_last(stoa_merge *merge, stoa_error *err) {
    stoa_merge_state *state = &merge->state;
    if (state->is_number || !state->has_last) {
        return STOA_OK;
    }
    stoa_buffer_clear(&merge->last_bytes);
    STOA_TRY(stoa_buffer_append(&merge->last_bytes, state->last_bytes, state->last_size, err));
    state->last_bytes = merge->last_bytes.data;
    return STOA_OK;
}

static stoa_status begin_spans(stoa_merge *merge, int64_t max_rows, stoa_error *err) {
    stoa_merge_state *state = &merge->state;
    state->rows_max = max_rows < BLOCK_ROWS_MAX ? max_rows : BLOCK_ROWS_MAX;
    stoa_buffer_clear(&merge->spans);
    STOA_TRY(stoa_buffer_reserve(&merge->spans,
                                 (size_t)(state->rows_max + 1) * sizeof(stoa_merge_span), err));
    state->spans = (stoa_merge_span *)(void *)merge->spans.data + 1;
    state->spans[-1] = (stoa_merge_span){.run = STOA_MERGE_NO_RUN};
    state->span_count = 0;
    state->row_count = 0;
    return STOA_OK;
}

stoa_status stoa_merge_next(stoa_merge *merge, int64_t max_rows, stoa_merge_block *out,
                            stoa_error *err) {
    stoa_merge_state *state = &merge->state;
    STOA_ASSERT(max_rows > 0);
    *out = (stoa_merge_block){.windows = merge->windows};
    STOA_TRY(begin_spans(merge, max_rows, err));
    STOA_TRY(fill_heads(merge, max_rows < WINDOW_ROWS_MIN ? WINDOW_ROWS_MIN : max_rows, err));
    if (state->head_count == 0) {
        return STOA_OK;
    }
    if (!state->is_number && state->head_count > 1) {
        set_common(merge);
    }
    stoa_merge_heads(state);
    STOA_TRY(keep_last(merge, err));
    for (int32_t i = 0; i < state->head_count; i++) {
        merge->sources[state->heads[i].run].next = state->heads[i].next;
    }
    out->spans = state->spans;
    out->span_count = state->span_count;
    out->row_count = state->row_count;
    return STOA_OK;
}
