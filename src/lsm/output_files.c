#include "lsm/output_files.h"

#include <stdio.h>

#include "base/bytes.h"

void stoa_output_files_init(stoa_output_files *files, const stoa_output_options *options) {
    *files = (stoa_output_files){.options = options, .pool = options->context.pool};
    files->ranges.pool = files->pool;
    stoa_buffer_init(&files->begin, files->pool);
    stoa_buffer_init(&files->last_key, files->pool);
}

/* ---- Beginning and ending a file ------------------------------------------------------------- */

static stoa_status begin_file(stoa_output_files *files, stoa_error *err) {
    const stoa_output_options *options = files->options;
    char name[32];
    files->number = options->new_file(options->new_file_user);
    files->bytes = 0;
    files->expires_ms = 0;
    (void)snprintf(name, sizeof name, "%016" PRIx64 ".sst", files->number);
    STOA_TRY(stoa_vfs_join(files->pool, options->directory, name, &files->uri, err));
    STOA_TRY(stoa_vfs_open(options->file_systems, files->uri, STOA_OPEN_REPLACE, &options->context,
                           &files->file, err));
    /* It is read as soon as it is there. */
    stoa_file_advise(files->file, 0, 0, STOA_ADVICE_WILL_NEED);
    return stoa_sst_writer_create(&options->context, files->file, options->rows,
                                  options->definition->filter_bits, &files->writer, err);
}

static void close_file(stoa_output_files *files) {
    stoa_sst_writer_close(files->writer);
    stoa_file_close(files->file);
    stoa_pool_free_string(files->pool, files->uri);
    files->writer = NULL;
    files->file = NULL;
    files->uri = NULL;
}

/* The part of a range that lies from the file's first key on and before `end` (NULL: in the last
 * file); false: there is none. */
static bool clip_range(const stoa_output_files *files, const stoa_buffer *end,
                       stoa_key_range *range) {
    const stoa_buffer *begin = &files->begin;
    if (stoa_bytes_compare(range->from, range->from_size, begin->data, begin->size) < 0) {
        range->from = begin->data;
        range->from_size = begin->size;
    }
    if (end != NULL && (range->to_end ||
                        stoa_bytes_compare(end->data, end->size, range->to, range->to_size) < 0)) {
        range->to = end->data;
        range->to_size = end->size;
        range->to_end = false;
    }
    return range->to_end ||
           stoa_bytes_compare(range->from, range->from_size, range->to, range->to_size) < 0;
}

static stoa_status write_ranges(stoa_output_files *files, const stoa_buffer *end, stoa_error *err) {
    for (int64_t i = 0; i < files->ranges.count; i++) {
        stoa_key_range range = files->ranges.ranges[i];
        if (clip_range(files, end, &range)) {
            STOA_TRY(stoa_sst_writer_add_range(files->writer, &range, err));
        }
    }
    return STOA_OK;
}

/* Room for one more file in the list. */
static stoa_status reserve_file(stoa_output_files *files, stoa_error *err) {
    const int64_t capacity = files->capacity == 0 ? 8 : 2 * files->capacity;
    void *memory = (void *)files->files;
    if (files->count == files->capacity) {
        STOA_TRY(stoa_pool_reallocate(files->pool, &memory,
                                      (size_t)files->capacity * sizeof *files->files,
                                      (size_t)capacity * sizeof *files->files, err));
        files->files = memory;
        files->capacity = capacity;
    }
    return STOA_OK;
}

/* Without the context's token: the file is read long after what wrote it has ended. */
static stoa_status open_file(const stoa_output_files *files, stoa_sst **out, stoa_error *err) {
    const stoa_output_options *options = files->options;
    const stoa_context context = {.pool = files->pool, .logger = options->context.logger};
    stoa_file *file = NULL;
    STOA_TRY(
        stoa_vfs_open(options->file_systems, files->uri, STOA_OPEN_READ, &context, &file, err));
    return stoa_sst_open(&context, file, &options->definition->layout, out, err);
}

static stoa_status make_table_file(stoa_output_files *files, const stoa_sst_summary *summary,
                                   stoa_error *err) {
    const bool only_puts = summary->delete_count == 0 && files->expires_ms < INT64_MAX;
    stoa_table_file_info info = {
        .number = files->number,
        .level = files->options->level,
        .bytes = summary->file_bytes,
        .row_count = summary->row_count,
        .delete_count = summary->delete_count,
        .sequence_min = summary->sequence_min,
        .sequence_max = summary->sequence_max,
        .expires_ms = only_puts ? files->expires_ms : 0,
    };
    stoa_sst *sst = NULL;
    stoa_buffer_init(&info.first_key, files->pool);
    stoa_buffer_init(&info.last_key, files->pool);
    STOA_TRY(reserve_file(files, err));
    STOA_TRY(open_file(files, &sst, err));
    const stoa_status status = stoa_sst_bounds(sst, &info.first_key, &info.last_key, err);
    if (status != STOA_OK) {
        stoa_table_file_info_release(&info);
        stoa_sst_close(sst);
        return status;
    }
    STOA_TRY(stoa_table_file_create(files->pool, files->options->file_systems, files->uri, &info,
                                    sst, &files->files[files->count], err));
    files->count++;
    return STOA_OK;
}

/* What made the file stays until it is in the list: then that is what removes it. */
static stoa_status end_file(stoa_output_files *files, const stoa_buffer *end, stoa_error *err) {
    stoa_sst_summary summary;
    STOA_TRY(write_ranges(files, end, err));
    STOA_TRY(stoa_sst_writer_finish(files->writer, &summary, err));
    stoa_sst_writer_close(files->writer);
    stoa_file_close(files->file);
    files->writer = NULL;
    files->file = NULL;
    STOA_TRY(make_table_file(files, &summary, err));
    close_file(files);
    return STOA_OK;
}

/* ---- Stripes --------------------------------------------------------------------------------- */

/* The next file begins where another key does. */
static stoa_status cut_file(stoa_output_files *files, const uint8_t *first, size_t size,
                            stoa_error *err) {
    const uint64_t limit = files->options->file_bytes;
    const stoa_buffer *last = &files->last_key;
    if (files->writer == NULL || limit == 0 || files->bytes < limit ||
        stoa_bytes_compare(first, size, last->data, last->size) == 0) {
        return STOA_OK;
    }
    const stoa_buffer end = {.data = (uint8_t *)(uintptr_t)first, .size = size};
    STOA_TRY(end_file(files, &end, err));
    stoa_buffer_clear(&files->begin);
    return stoa_buffer_append(&files->begin, first, size, err);
}

stoa_status stoa_output_files_add(stoa_output_files *files, const stoa_sst_stripe *stripe,
                                  const stoa_keys_view *keys, int64_t expires_ms, stoa_error *err) {
    const stoa_output_options *options = files->options;
    const stoa_key_format *format = &options->definition->key;
    uint8_t number[8];
    size_t size;
    const uint8_t *first = stoa_keys_bytes(format, keys, 0, number, &size);
    STOA_TRY(cut_file(files, first, size, err));
    if (files->writer == NULL) {
        STOA_TRY(begin_file(files, err));
    }
    STOA_TRY(stoa_rate_limiter_wait(options->limiter, stripe->bytes.size, options->context.cancel,
                                    &files->rate_wait_ns, err));
    STOA_TRY(stoa_sst_writer_add(files->writer, stripe, err));
    files->bytes += stripe->bytes.size;
    files->expires_ms = expires_ms > files->expires_ms ? expires_ms : files->expires_ms;
    const uint8_t *last = stoa_keys_bytes(format, keys, keys->count - 1, number, &size);
    stoa_buffer_clear(&files->last_key);
    return stoa_buffer_append(&files->last_key, last, size, err);
}

stoa_status stoa_output_files_finish(stoa_output_files *files, stoa_error *err) {
    const stoa_output_options *options = files->options;
    if (files->writer == NULL && files->ranges.count > 0) {
        STOA_TRY(begin_file(files, err));
    }
    if (files->writer != NULL) {
        STOA_TRY(end_file(files, NULL, err));
    }
    return files->count == 0 ? STOA_OK
                             : stoa_vfs_sync_directory(options->file_systems, options->directory,
                                                       &options->context, err);
}

void stoa_output_files_release(stoa_output_files *files, bool keep) {
    if (files->uri != NULL) {
        stoa_sst_writer_close(files->writer);
        stoa_file_close(files->file);
        files->writer = NULL;
        files->file = NULL;
        /* What cannot be removed now is when the store is opened next: no manifest names it. */
        STOA_IGNORE(stoa_vfs_remove(files->options->file_systems, files->uri, NULL, NULL));
    }
    close_file(files);
    for (int64_t i = 0; i < files->count; i++) {
        if (!keep) {
            atomic_store_explicit(&files->files[i]->is_obsolete, true, memory_order_relaxed);
        }
        stoa_table_file_release(files->files[i]);
    }
    stoa_pool_free(files->pool, (void *)files->files,
                   (size_t)files->capacity * sizeof *files->files);
    stoa_range_set_release(&files->ranges);
    stoa_buffer_release(&files->begin);
    stoa_buffer_release(&files->last_key);
}
