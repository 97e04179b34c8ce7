/* Cursors over files, and what windows of files and of memtables have in common. The cursor keeps the
 * window that it gave last and fills it again when nobody else holds it, so that reading on allocates
 * nothing. Called by merge; what can fail is a damaged stripe and memory. */
#include "lsm/run_internal.h"

#include "base/bytes.h"
#include "lsm/key_bytes.h"

/* ---- Windows --------------------------------------------------------------------------------- */

static stoa_run_window_rows *inner(const stoa_run_window *window) {
    return (stoa_run_window_rows *)(uintptr_t)window;
}

stoa_run_window *stoa_run_window_retain(stoa_run_window *window) {
    atomic_fetch_add_explicit(&window->references, 1, memory_order_relaxed);
    return window;
}

void stoa_run_window_release(stoa_run_window *window) {
    /* Pairs with itself: the last one frees after all others have read. */
    if (window == NULL ||
        atomic_fetch_sub_explicit(&window->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    stoa_run_window_rows *self = inner(window);
    stoa_keys_release(&self->keys);
    stoa_buffer_release(&self->sequences);
    stoa_buffer_release(&self->operations);
    stoa_buffer_release(&self->pieces);
    stoa_buffer_release(&self->places);
    stoa_pool_free(self->pool, self, sizeof *self);
}

static stoa_status create_window(const stoa_run_cursor *cursor, stoa_run_window_rows **out,
                                 stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(cursor->pool, sizeof(stoa_run_window_rows), &memory, err));
    stoa_run_window_rows *window = memory;
    *window = (stoa_run_window_rows){.pool = cursor->pool, .layout = cursor->layout};
    atomic_init(&window->window.references, 1);
    stoa_keys_init(&window->keys, cursor->pool);
    stoa_buffer_init(&window->sequences, cursor->pool);
    stoa_buffer_init(&window->operations, cursor->pool);
    stoa_buffer_init(&window->pieces, cursor->pool);
    stoa_buffer_init(&window->places, cursor->pool);
    *out = window;
    return STOA_OK;
}

static void empty_window(stoa_run_window_rows *window) {
    window->keys.count = 0;
    stoa_buffer_clear(&window->keys.numbers);
    stoa_buffer_clear(&window->keys.bytes);
    stoa_buffer_clear(&window->keys.offsets);
    stoa_buffer_clear(&window->sequences);
    stoa_buffer_clear(&window->operations);
    stoa_buffer_clear(&window->pieces);
    stoa_buffer_clear(&window->places);
    window->has_sequences = false;
    window->has_operations = false;
}

static stoa_status wrap_stripe(const stoa_run_window_rows *window, stoa_status status,
                               stoa_error *err) {
    if (status != STOA_OK && window->file != NULL) {
        stoa_wrap(err, "'%s', stripe %" PRId64, window->file->uri, window->stripe_number);
    }
    return status;
}

/* All rows of one of the segments that every row has. */
static stoa_status read_segment(const stoa_run_window_rows *window, int32_t number, size_t width,
                                stoa_buffer *out, stoa_error *err) {
    const stoa_segment *segment;
    const uint32_t count = (uint32_t)window->window.count;
    STOA_TRY(wrap_stripe(window,
                         stoa_stripe_segment(window->stripe, number, window->stripe->row_count,
                                             &segment, err),
                         err));
    STOA_TRY(stoa_buffer_reserve(out, count * width, err));
    stoa_segment_read(segment, window->first, count, out->data, 0);
    out->size = count * width;
    return STOA_OK;
}

/* Where all rows of a stripe have the same number, its directory says which; that of a bulk load is known
 * nowhere else. */
static stoa_status read_sequences(stoa_run_window_rows *window, stoa_error *err) {
    const stoa_sst_member *member = window->file == NULL
                                        ? NULL
                                        : stoa_sst_member_at(window->file->sst,
                                                             window->stripe_number);
    const int64_t count = window->window.count;
    if (member == NULL || member->sequence_min < member->sequence_max) {
        return read_segment(window, STOA_STRIPE_SEQUENCES, sizeof(uint64_t), &window->sequences,
                            err);
    }
    STOA_TRY(stoa_buffer_resize(&window->sequences, (size_t)count * sizeof(uint64_t), err));
    uint64_t *sequences = (uint64_t *)(void *)window->sequences.data;
    for (int64_t i = 0; i < count; i++) {
        sequences[i] = member->sequence_max;
    }
    return STOA_OK;
}

stoa_status stoa_run_window_sequences(stoa_run_window *window, const uint64_t **out,
                                      stoa_error *err) {
    stoa_run_window_rows *self = inner(window);
    if (!self->has_sequences) {
        STOA_TRY(read_sequences(self, err));
        self->has_sequences = true;
    }
    *out = (const uint64_t *)(const void *)self->sequences.data;
    return STOA_OK;
}

stoa_status stoa_run_window_operations(stoa_run_window *window, const uint8_t **out,
                                       stoa_error *err) {
    stoa_run_window_rows *self = inner(window);
    if (!self->has_operations) {
        STOA_TRY(read_segment(self, STOA_STRIPE_OPERATIONS, 1, &self->operations, err));
        self->has_operations = true;
    }
    *out = self->operations.data;
    return STOA_OK;
}

/* Rows of the window as rows of its stripe, in memory that the caller frees. */
static stoa_status shift_rows(const stoa_run_window_rows *window, stoa_pool *pool,
                              const uint32_t *rows, int64_t count, uint32_t **out,
                              stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, (size_t)count * sizeof *rows, &memory, err));
    uint32_t *shifted = memory;
    for (int64_t i = 0; i < count; i++) {
        shifted[i] = rows[i] + window->first;
    }
    *out = shifted;
    return STOA_OK;
}

stoa_status stoa_run_window_column(const stoa_run_window *window, stoa_pool *pool, int32_t column,
                                   const uint32_t *rows, int64_t first, int64_t count,
                                   struct ArrowArray *out, stoa_error *err) {
    const stoa_run_window_rows *self = inner(window);
    *out = (struct ArrowArray){0};
    if (self->stripe == NULL) {
        return stoa_run_memtable_column(self, pool, column, rows, first, count, out, err);
    }
    uint32_t *shifted = NULL;
    if (rows != NULL && self->first > 0) {
        STOA_TRY(shift_rows(self, pool, rows, count, &shifted, err));
        rows = shifted;
    }
    const stoa_stripe_selection selection = {rows, self->first + (uint32_t)first, count};
    stoa_status status = stoa_stripe_column(self->stripe, pool, column, &selection, out, err);
    if (shifted != NULL) {
        stoa_pool_free(pool, shifted, (size_t)count * sizeof *shifted);
    }
    if (status == STOA_OK) {
        status = stoa_sst_check_map(self->file->sst, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
        }
    }
    return wrap_stripe(self, status, err);
}

/* ---- Keys of a window ------------------------------------------------------------------------ */

static bool number_repeats(const uint64_t *numbers, int64_t count) {
    int64_t equal = 0;
    for (int64_t i = 1; i < count; i++) {
        equal += numbers[i] == numbers[i - 1];
    }
    return equal > 0;
}

static bool repeats(const stoa_key_format *format, const stoa_keys_view *keys) {
    if (format->is_number) {
        return number_repeats(keys->numbers, keys->count);
    }
    for (int64_t i = 1; i < keys->count; i++) {
        const uint32_t *at = keys->offsets + i;
        const uint32_t size = at[1] - at[0];
        if (at[0] - at[-1] == size &&
            (size == 0 || memcmp(keys->bytes + at[-1], keys->bytes + at[0], size) == 0)) {
            return true;
        }
    }
    return false;
}

static bool is_before_end(const stoa_run_cursor *cursor, const stoa_keys_view *keys, int64_t row) {
    if (cursor->layout->key->is_number) {
        return keys->numbers[row] < cursor->end.number;
    }
    const uint32_t *at = keys->offsets + row;
    return stoa_bytes_compare(keys->bytes + at[0], at[1] - at[0], cursor->end.bytes,
                              cursor->end.size) < 0;
}

bool stoa_run_is_before_end(const stoa_run_cursor *cursor, const uint8_t *key, size_t size) {
    if (cursor->end.is_open) {
        return true;
    }
    if (cursor->layout->key->is_number) {
        return stoa_key_get_number(key, (int32_t)size) < cursor->end.number;
    }
    return stoa_bytes_compare(key, size, cursor->end.bytes, cursor->end.size) < 0;
}

/* How many of the keys lie before the cursor's end. */
static int64_t count_before_end(const stoa_run_cursor *cursor, const stoa_keys_view *keys) {
    if (cursor->end.is_open || is_before_end(cursor, keys, keys->count - 1)) {
        return keys->count;
    }
    int64_t low = 0, count = keys->count - 1;
    while (count > 0) {
        const int64_t half = count / 2;
        if (is_before_end(cursor, keys, low + half)) {
            low += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return low;
}

/* ---- Cursors --------------------------------------------------------------------------------- */

stoa_status stoa_run_cursor_create(stoa_pool *pool, const stoa_stripe_layout *layout,
                                   const stoa_run *run, stoa_run_cursor **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate(pool, sizeof(stoa_run_cursor), &memory, err));
    stoa_run_cursor *cursor = memory;
    *cursor = (stoa_run_cursor){.pool = pool, .layout = layout, .run = *run};
    stoa_buffer_init(&cursor->end_bytes, pool);
    stoa_buffer_init(&cursor->piece_slots, pool);
    *out = cursor;
    return STOA_OK;
}

void stoa_run_cursor_close(stoa_run_cursor *cursor) {
    if (cursor == NULL) {
        return;
    }
    if (cursor->spare != NULL) {
        stoa_run_window_release(&cursor->spare->window);
    }
    if (cursor->order != NULL) {
        stoa_memtable_order_close(cursor->order);
    }
    stoa_buffer_release(&cursor->end_bytes);
    stoa_buffer_release(&cursor->piece_slots);
    stoa_pool_free(cursor->pool, cursor, sizeof *cursor);
}

static stoa_status set_end(stoa_run_cursor *cursor, const stoa_key_range *range, stoa_error *err) {
    const stoa_key_format *format = cursor->layout->key;
    cursor->end = (stoa_run_end){.is_open = range == NULL || range->to_end};
    if (cursor->end.is_open) {
        return STOA_OK;
    }
    stoa_buffer_clear(&cursor->end_bytes);
    STOA_TRY(stoa_buffer_append(&cursor->end_bytes, range->to, range->to_size, err));
    cursor->end.bytes = cursor->end_bytes.data;
    cursor->end.size = cursor->end_bytes.size;
    if (format->is_number) {
        STOA_ASSERT(range->to_size <= (size_t)format->fixed_bytes);
        cursor->end.number = stoa_key_prefix(range->to, range->to_size) >>
                             8 * (8 - format->fixed_bytes);
    }
    return STOA_OK;
}

/* The next file, from its first row on. */
static void begin_file(stoa_run_cursor *cursor, int64_t file) {
    const stoa_run *run = &cursor->run;
    cursor->file = file;
    cursor->position = (stoa_sst_position){0};
    while (cursor->file < run->file_count &&
           stoa_sst_summary_of(run->files[cursor->file]->sst)->stripe_count == 0) {
        cursor->file++;
    }
}

stoa_status stoa_run_files_seek(stoa_run_cursor *cursor, const uint8_t *key, size_t size,
                                stoa_error *err) {
    const stoa_run *run = &cursor->run;
    if (size == 0 || run->file_count == 0) {
        begin_file(cursor, 0);
        return STOA_OK;
    }
    const stoa_level level = {(stoa_table_file **)(uintptr_t)run->files, run->file_count, 0};
    cursor->file = run->file_count == 1 ? 0 : stoa_level_find(&level, key, size);
    if (cursor->file == run->file_count) {
        return STOA_OK;
    }
    const stoa_sst *table = run->files[cursor->file]->sst;
    STOA_TRY(stoa_sst_find(table, key, size, &cursor->position, err));
    if (cursor->position.stripe == stoa_sst_summary_of(table)->stripe_count) {
        begin_file(cursor, cursor->file + 1);
    }
    return STOA_OK;
}

stoa_status stoa_run_cursor_seek(stoa_run_cursor *cursor, const stoa_key_range *range,
                                 stoa_error *err) {
    const uint8_t *key = range == NULL ? NULL : range->from;
    const size_t size = range == NULL ? 0 : range->from_size;
    cursor->rows_max = size == 0 ? STOA_STRIPE_ROWS : STOA_RUN_WINDOW_FIRST;
    STOA_TRY(set_end(cursor, range, err));
    return cursor->run.memtable != NULL ? stoa_run_memtable_seek(cursor, key, size, err)
                                        : stoa_run_files_seek(cursor, key, size, err);
}

static void advance(stoa_run_cursor *cursor, const stoa_stripe *stripe, uint32_t rows) {
    cursor->position.row += rows;
    if (cursor->position.row == stripe->row_count) {
        const stoa_sst *table = cursor->run.files[cursor->file]->sst;
        cursor->position = (stoa_sst_position){cursor->position.stripe + 1, 0};
        if (cursor->position.stripe == stoa_sst_summary_of(table)->stripe_count) {
            begin_file(cursor, cursor->file + 1);
        }
    }
}

/* Goes past stripes that the reader has no use for. */
static void skip_stripes(stoa_run_cursor *cursor) {
    const stoa_run *run = &cursor->run;
    while (cursor->skip != NULL && cursor->file < run->file_count) {
        const stoa_sst *table = run->files[cursor->file]->sst;
        const stoa_sst_member *member = stoa_sst_member_at(table, cursor->position.stripe);
        if (!stoa_run_is_before_end(cursor, member->first_key, member->first_key_size)) {
            cursor->file = run->file_count;
        } else if (cursor->skip(cursor->skip_user, table, cursor->position.stripe)) {
            advance(cursor, &member->stripe, member->stripe.row_count - cursor->position.row);
        } else {
            return;
        }
    }
}

static stoa_status fill_from_file(stoa_run_cursor *cursor, int64_t max_rows,
                                  stoa_run_window_rows *window, stoa_error *err) {
    const stoa_run *run = &cursor->run;
    stoa_run_window *seen = &window->window;
    seen->count = 0;
    skip_stripes(cursor);
    if (cursor->file >= run->file_count) {
        return STOA_OK;
    }
    window->file = run->files[cursor->file];
    window->stripe_number = cursor->position.stripe;
    window->first = cursor->position.row;
    const stoa_sst_member *member = stoa_sst_member_at(window->file->sst, window->stripe_number);
    window->stripe = &member->stripe;
    const int64_t left = window->stripe->row_count - window->first;
    const stoa_stripe_selection selection = {NULL, window->first,
                                             left < max_rows ? left : max_rows};
    STOA_TRY(stoa_stripe_keys(window->stripe, &selection, &window->keys, err));
    STOA_TRY(stoa_sst_check_map(window->file->sst, err));
    seen->keys = stoa_keys_view_of(&window->keys);
    seen->count = count_before_end(cursor, &seen->keys);
    seen->keys.count = seen->count;
    /* Numbers that are all the same are those of a file in which no key has two versions. */
    seen->may_repeat = member->sequence_min < member->sequence_max &&
                       repeats(cursor->layout->key, &seen->keys);
    seen->has_only_puts = member->delete_count == 0 && member->merge_count == 0;
    seen->sequence_max = member->sequence_max;
    if (seen->count < selection.count) {
        cursor->file = run->file_count;
    } else {
        advance(cursor, window->stripe, (uint32_t)selection.count);
    }
    return STOA_OK;
}

static stoa_status fill_from_memtable(stoa_run_cursor *cursor, int64_t max_rows,
                                      stoa_run_window_rows *window, stoa_error *err) {
    const int64_t left = cursor->order->count - cursor->next;
    window->window.count = 0;
    if (left == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_run_memtable_fill(cursor, left < max_rows ? left : max_rows, window, err));
    const int64_t filled = window->keys.count;
    window->window.keys = stoa_keys_view_of(&window->keys);
    window->window.count = count_before_end(cursor, &window->window.keys);
    window->window.keys.count = window->window.count;
    window->window.may_repeat = repeats(cursor->layout->key, &window->window.keys);
    cursor->next = window->window.count < filled ? cursor->order->count : cursor->next + filled;
    return STOA_OK;
}

void stoa_run_cursor_set_skip(stoa_run_cursor *cursor, stoa_run_skip skip, void *user) {
    cursor->skip = skip;
    cursor->skip_user = user;
}

stoa_status stoa_run_cursor_next(stoa_run_cursor *cursor, int64_t max_rows, stoa_run_window **out,
                                 stoa_error *err) {
    STOA_ASSERT(max_rows > 0);
    *out = NULL;
    stoa_run_window_rows *window = cursor->spare;
    if (window == NULL ||
        atomic_load_explicit(&window->window.references, memory_order_acquire) > 1) {
        STOA_TRY(create_window(cursor, &window, err));
        if (cursor->spare != NULL) {
            stoa_run_window_release(&cursor->spare->window);
        }
        cursor->spare = window;
    }
    empty_window(window);
    max_rows = max_rows < cursor->rows_max ? max_rows : cursor->rows_max;
    STOA_TRY(cursor->run.memtable != NULL
                 ? fill_from_memtable(cursor, max_rows, window, err)
                 : wrap_stripe(window, fill_from_file(cursor, max_rows, window, err), err));
    if (cursor->rows_max < STOA_STRIPE_ROWS) {
        cursor->rows_max *= 2;
    }
    *out = window->window.count > 0 ? stoa_run_window_retain(&window->window) : NULL;
    return STOA_OK;
}
