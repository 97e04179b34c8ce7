/* Questions to a run that no window is read for: whether a range has rows, and which key stands so many
 * rows before its end, from which scans backward find where to begin. */
#include "base/bytes.h"
#include "lsm/run_internal.h"

/* The key of one row, in place of what `out` held. */
static stoa_status key_in_file(const stoa_run_cursor *cursor, int64_t file,
                               const stoa_sst_position *position, stoa_buffer *out,
                               stoa_error *err) {
    const stoa_table_file *opened = cursor->run.files[file];
    const stoa_stripe_selection selection = {NULL, position->row, 1};
    uint8_t number[8];
    size_t size;
    stoa_keys keys;
    stoa_keys_init(&keys, cursor->pool);
    stoa_status status = stoa_stripe_keys(stoa_sst_stripe_at(opened->sst, position->stripe),
                                          &selection, &keys, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "'%s', stripe %" PRId64, opened->uri, position->stripe);
    } else {
        const stoa_keys_view view = stoa_keys_view_of(&keys);
        const uint8_t *bytes = stoa_keys_bytes(cursor->layout->key, &view, 0, number, &size);
        stoa_buffer_clear(out);
        status = stoa_buffer_append(out, bytes, size, err);
    }
    stoa_keys_release(&keys);
    return status;
}

static stoa_status key_in_memtable(const stoa_run_cursor *cursor, int64_t index, stoa_buffer *out,
                                   stoa_error *err) {
    const stoa_memtable *table = cursor->run.memtable;
    const stoa_memtable_row row = stoa_memtable_order_row(table, cursor->order, index);
    uint8_t number[8];
    size_t size;
    const uint8_t *bytes = stoa_memtable_key(table, &row, number, &size);
    stoa_buffer_clear(out);
    return stoa_buffer_append(out, bytes, size, err);
}

const stoa_stripe *stoa_run_cursor_stripe(const stoa_run_cursor *cursor, uint32_t *out_row) {
    if (cursor->run.memtable != NULL || cursor->file >= cursor->run.file_count) {
        return NULL;
    }
    *out_row = cursor->position.row;
    return stoa_sst_stripe_at(cursor->run.files[cursor->file]->sst, cursor->position.stripe);
}

stoa_status stoa_run_cursor_has_rows(stoa_run_cursor *cursor, bool *out, stoa_error *err) {
    const bool is_memtable = cursor->run.memtable != NULL;
    stoa_buffer key;
    *out = is_memtable ? cursor->next < cursor->order->count
                       : cursor->file < cursor->run.file_count;
    if (!*out || cursor->end.is_open) {
        return STOA_OK;
    }
    stoa_buffer_init(&key, cursor->pool);
    const stoa_status status = is_memtable ? key_in_memtable(cursor, cursor->next, &key, err)
                                           : key_in_file(cursor, cursor->file, &cursor->position,
                                                         &key, err);
    *out = status == STOA_OK && stoa_run_is_before_end(cursor, key.data, key.size);
    stoa_buffer_release(&key);
    return status;
}

/* ---- Backward -------------------------------------------------------------------------------- */

static stoa_status back_in_memtable(stoa_run_cursor *cursor, const stoa_key_range *range,
                                    int64_t rows, stoa_buffer *key, bool *out_found,
                                    stoa_error *err) {
    STOA_TRY(stoa_run_memtable_seek(cursor, range->from, range->from_size, err));
    const int64_t end = range->to_end ? cursor->order->count
                                      : stoa_run_memtable_find(cursor, range->to, range->to_size);
    *out_found = end - cursor->next >= rows;
    return *out_found ? key_in_memtable(cursor, end - rows, key, err) : STOA_OK;
}

/* Goes back row by row of whole stripes; false where the run begins before that. */
static bool step_back(const stoa_run_cursor *cursor, int64_t rows, int64_t *file,
                      stoa_sst_position *position) {
    while (rows > (int64_t)position->row) {
        rows -= position->row;
        while (position->stripe == 0) {
            if (*file == 0) {
                return false;
            }
            position->stripe = stoa_sst_summary_of(cursor->run.files[--*file]->sst)->stripe_count;
        }
        position->stripe--;
        position->row =
            stoa_sst_stripe_at(cursor->run.files[*file]->sst, position->stripe)->row_count;
    }
    position->row -= (uint32_t)rows;
    return true;
}

static bool is_at_or_behind(int64_t file, const stoa_sst_position *position, int64_t other_file,
                            const stoa_sst_position *other) {
    if (file != other_file) {
        return file > other_file;
    }
    return position->stripe != other->stripe ? position->stripe > other->stripe
                                             : position->row >= other->row;
}

static stoa_status back_in_files(stoa_run_cursor *cursor, const stoa_key_range *range, int64_t rows,
                                 stoa_buffer *key, bool *out_found, stoa_error *err) {
    STOA_TRY(stoa_run_files_seek(cursor, range->from, range->from_size, err));
    const int64_t first_file = cursor->file;
    const stoa_sst_position first = cursor->position;
    if (range->to_end) {
        cursor->file = cursor->run.file_count;
    } else {
        STOA_TRY(stoa_run_files_seek(cursor, range->to, range->to_size, err));
    }
    int64_t file = cursor->file;
    stoa_sst_position at = cursor->file == cursor->run.file_count ? (stoa_sst_position){0}
                                                                  : cursor->position;
    *out_found = first_file < cursor->run.file_count && step_back(cursor, rows, &file, &at) &&
                 is_at_or_behind(file, &at, first_file, &first);
    if (!*out_found) {
        return STOA_OK;
    }
    STOA_TRY(key_in_file(cursor, file, &at, key, err));
    /* So that every part is smaller than the one before, whatever a file has for an order. */
    *out_found = range->to_end ||
                 stoa_bytes_compare(key->data, key->size, range->to, range->to_size) < 0;
    return STOA_OK;
}

stoa_status stoa_run_cursor_back(stoa_run_cursor *cursor, const stoa_key_range *range, int64_t rows,
                                 stoa_buffer *key, bool *out_found, stoa_error *err) {
    STOA_ASSERT(rows > 0);
    return cursor->run.memtable != NULL ? back_in_memtable(cursor, range, rows, key, out_found, err)
                                        : back_in_files(cursor, range, rows, key, out_found, err);
}
