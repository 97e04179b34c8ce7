/* Leaves stand where they were left, each by itself: some may be decoded further than others, which
 * then pass over rows that nobody wants of them. */
#include "parquet/read_lane.h"

#include "arrow/owner.h"

enum { SEEK_ROWS_MIN = 512, PREFETCH_BYTES = 32 << 20, PREFETCH_POOL_SHARE = 8 };

static stoa_status make_places(stoa_read_lane *lane, stoa_error *err) {
    const stoa_read_plan *plan = lane->plan;
    const size_t all = (size_t)plan->reader->footer.leaf_count;
    void *values = NULL, *arrays = NULL;
    STOA_TRY(stoa_arena_allocate_array(&lane->arena, all, sizeof *lane->values, &values, err));
    STOA_TRY(stoa_arena_allocate_array(&lane->arena, all, sizeof *lane->arrays, &arrays, err));
    lane->values = values;
    lane->arrays = arrays;
    lane->narrow_group = -1;
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        stoa_chunk_values_init(&lane->values[plan->leaves[i]->leaf], lane->context.pool);
    }
    return STOA_OK;
}

stoa_status stoa_read_lane_init(const stoa_read_plan *plan, const stoa_context *context,
                                stoa_read_lane *out, stoa_error *err) {
    void *leaves = NULL;
    *out = (stoa_read_lane){.plan = plan, .context = *context, .row_end = INT64_MAX};
    stoa_arena_init(&out->arena, context->pool);
    STOA_TRY(stoa_arena_allocate_array(&out->arena, (size_t)plan->leaf_count, sizeof *out->leaves,
                                       &leaves, err));
    out->leaves = leaves;
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        out->leaves[i].group = -1;
        stoa_arena_init(&out->leaves[i].index_arena, context->pool);
    }
    return make_places(out, err);
}

stoa_status stoa_read_lane_init_beside(const stoa_read_lane *other, stoa_read_lane *out,
                                       stoa_error *err) {
    *out = (stoa_read_lane){.plan = other->plan,
                            .context = other->context,
                            .leaves = other->leaves,
                            .shares_leaves = true,
                            .row_end = INT64_MAX};
    stoa_arena_init(&out->arena, other->context.pool);
    return make_places(out, err);
}

void stoa_read_lane_release(stoa_read_lane *lane) {
    for (int32_t i = 0; lane->arrays != NULL && i < lane->plan->leaf_count; i++) {
        stoa_read_leaf *leaf = &lane->leaves[i];
        const int32_t number = lane->plan->leaves[i]->leaf;
        if (!lane->shares_leaves) {
            stoa_arena_release(&leaf->index_arena);
            stoa_read_entries_release(&leaf->entries);
        }
        if (leaf->chunk != NULL && !lane->shares_leaves) {
            stoa_chunk_reader_release(leaf->chunk);
            stoa_pool_free(lane->context.pool, leaf->chunk, sizeof *leaf->chunk);
        }
        stoa_chunk_values_release(&lane->values[number]);
        stoa_arrow_array_release(&lane->arrays[number]);
    }
    stoa_arena_release(&lane->arena);
}

static stoa_status check_chunk(const stoa_parquet_reader *reader, int32_t group, int32_t number,
                               stoa_error *err) {
    const stoa_parquet_footer *footer = &reader->footer;
    const stoa_parquet_column *column = &footer->groups[group].columns[number];
    const int32_t physical = footer->elements[footer->leaves[number].element].physical;
    STOA_TRY(stoa_parquet_column_check_unlocked(footer, group, number, err));
    if (column->physical == physical) {
        return STOA_OK;
    }
    const char *found = stoa_parquet_physical_name(column->physical);
    stoa_fail(err, STOA_CORRUPT, "expected the schema's type %s but found %s",
              stoa_parquet_physical_name(physical), found == NULL ? "none" : found);
    stoa_error_set_file(err, reader->file->uri, (int64_t)column->offset);
    return STOA_CORRUPT;
}

static stoa_status open_leaf(stoa_read_lane *lane, stoa_read_leaf *leaf, int32_t number,
                             int32_t group, stoa_error *err) {
    const stoa_parquet_reader *reader = lane->plan->reader;
    STOA_TRY(check_chunk(reader, group, number, err));
    if (leaf->chunk == NULL) {
        void *memory = NULL;
        STOA_TRY(stoa_pool_allocate(lane->context.pool, sizeof(stoa_chunk_reader), &memory, err));
        leaf->chunk = memory;
        stoa_chunk_reader_init(leaf->chunk, &lane->context);
    }
    const stoa_chunk_source source = {.file = reader->file,
                                      .footer = &reader->footer,
                                      .map = reader->map,
                                      .map_bytes = reader->map_bytes,
                                      .ignores_checksums = lane->plan->options.ignores_checksums};
    stoa_chunk_reader_open(leaf->chunk, &source, group, number);
    leaf->has_values = leaf->has_values && leaf->group == group;
    stoa_read_entries_release(&leaf->entries);
    if (leaf->group != group) {
        leaf->has_index = false;
        leaf->index = (stoa_page_index){0};
        stoa_arena_release(&leaf->index_arena);
    }
    leaf->group = group;
    leaf->row = 0;
    return STOA_OK;
}

stoa_status stoa_read_lane_open(stoa_read_lane *lane, const stoa_read_window *window, int32_t index,
                                stoa_error *err) {
    stoa_read_leaf *leaf = &lane->leaves[index];
    return leaf->group != window->group || leaf->row > window->first
               ? open_leaf(lane, leaf, lane->plan->leaves[index]->leaf, window->group, err)
               : STOA_OK;
}

/* An index that does not decode is as good as none. */
static stoa_status load_index(stoa_read_lane *lane, stoa_read_leaf *leaf, int32_t number,
                              stoa_error *err) {
    const stoa_parquet_reader *reader = lane->plan->reader;
    stoa_error cause = STOA_ERROR_NONE;
    if (leaf->has_index) {
        return STOA_OK;
    }
    leaf->has_index = true;
    const stoa_status status = stoa_page_locations_read(reader->file, &reader->footer, leaf->group,
                                                        number, &leaf->index_arena, &leaf->index,
                                                        &cause);
    if (status == STOA_OK || status == STOA_CORRUPT || status == STOA_UNSUPPORTED) {
        leaf->index = status == STOA_OK ? leaf->index : (stoa_page_index){0};
        return STOA_OK;
    }
    if (err != NULL) {
        *err = cause;
    }
    return status;
}

/* The page that holds `row`: the last that begins no later. */
static int32_t find_page(const stoa_page_index *index, int64_t row) {
    int32_t low = 0, high = index->page_count;
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        if (index->locations[middle].first_row <= row) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Goes forward to the page that the window begins in, unless the leaf stands there. Where rows behind
 * the window are not wanted, a file without a map is not read beyond them either. */
static stoa_status seek(stoa_read_lane *lane, const stoa_read_window *window, int32_t index,
                        stoa_error *err) {
    stoa_read_leaf *leaf = &lane->leaves[index];
    const int64_t rows = lane->plan->reader->footer.groups[window->group].row_count;
    const int64_t end = lane->row_end < rows ? lane->row_end : rows;
    const bool is_bounded = end < rows && leaf->chunk->pages.map == NULL;
    if (window->first - leaf->row < SEEK_ROWS_MIN && !is_bounded) {
        return STOA_OK;
    }
    STOA_TRY(load_index(lane, leaf, lane->plan->leaves[index]->leaf, err));
    if (leaf->index.locations == NULL || leaf->index.page_count == 0) {
        return STOA_OK;
    }
    const int32_t page = find_page(&leaf->index, window->first);
    const int32_t last = find_page(&leaf->index, end - 1);
    if (leaf->index.locations[page].first_row > leaf->row) {
        STOA_TRY(stoa_chunk_reader_seek(leaf->chunk, &leaf->index, page, err));
        leaf->row = leaf->index.locations[page].first_row;
    }
    stoa_chunk_reader_limit(leaf->chunk, &leaf->index, last);
    return STOA_OK;
}

stoa_status stoa_read_lane_read(stoa_read_lane *lane, const stoa_read_window *window, int32_t index,
                                stoa_chunk_values *out, stoa_error *err) {
    stoa_read_leaf *leaf = &lane->leaves[index];
    STOA_TRY(stoa_read_lane_open(lane, window, index, err));
    STOA_TRY(seek(lane, window, index, err));
    out->bytes_max = INT32_MAX;
    STOA_TRY(stoa_chunk_reader_read(leaf->chunk, window->first - leaf->row, true, out, err));
    /* A row that is larger by itself comes alone. */
    out->bytes_max = window->count > 1 ? lane->plan->options.column_bytes : INT32_MAX;
    STOA_TRY(stoa_chunk_reader_read(leaf->chunk, window->count, false, out, err));
    leaf->row = window->first + window->count;
    return STOA_OK;
}

stoa_status stoa_read_lane_array(stoa_read_lane *lane, int32_t index, stoa_error *err) {
    const stoa_read_node *node = lane->plan->leaves[index];
    stoa_arrow_array_release(&lane->arrays[node->leaf]);
    return stoa_read_leaf_array(lane->context.pool, node, &lane->plan->reader->arrays,
                                &lane->values[node->leaf], &lane->arrays[node->leaf], err);
}

/* ---- Dictionary-encoded leaves --------------------------------------------------------------- */

/* Reads codes as long as the chunk has nothing else. `*out_codes`: they are codes. */
static stoa_status read_codes(stoa_read_lane *lane, const stoa_read_window *window, int32_t index,
                              stoa_chunk_values *values, bool *out_codes, stoa_error *err) {
    stoa_read_leaf *leaf = &lane->leaves[index];
    STOA_TRY(stoa_read_lane_open(lane, window, index, err));
    *out_codes = !leaf->has_values;
    if (!leaf->has_values) {
        stoa_error cause = STOA_ERROR_NONE;
        leaf->chunk->takes_codes = true;
        const stoa_status status = stoa_read_lane_read(lane, window, index, values, &cause);
        leaf->chunk->takes_codes = false;
        if (status == STOA_OK || !leaf->chunk->has_other_encoding) {
            if (err != NULL) {
                *err = cause;
            }
            return status;
        }
        leaf->has_values = true;
        leaf->row = INT64_MAX; /* opens it anew */
        *out_codes = false;
    }
    return stoa_read_lane_read(lane, window, index, values, err);
}

static stoa_status encode_leaf(stoa_read_lane *lane, const stoa_read_window *window, int32_t index,
                               stoa_error *err) {
    const stoa_read_node *node = lane->plan->leaves[index];
    stoa_read_leaf *leaf = &lane->leaves[index];
    stoa_chunk_values *values = &lane->values[node->leaf];
    stoa_pool *pool = lane->context.pool;
    struct ArrowArray dictionary = {0};
    bool are_codes;
    STOA_TRY(read_codes(lane, window, index, values, &are_codes, err));
    if (are_codes) {
        STOA_TRY(stoa_read_codes_widen(leaf->chunk, values, err));
        if (leaf->entries.keeper == NULL) {
            STOA_TRY(stoa_read_entries_make(pool, leaf->chunk, &leaf->entries, err));
        }
        STOA_TRY(stoa_read_entries_array(pool, &leaf->entries, &dictionary, err));
    } else {
        STOA_TRY(stoa_read_values_encode(pool, values, &dictionary, err));
    }
    stoa_arrow_array_release(&lane->arrays[node->leaf]);
    return stoa_read_index_array(pool, node, values, &dictionary, &lane->arrays[node->leaf], err);
}

static stoa_status decode_leaf(stoa_read_lane *lane, const stoa_read_window *window, int32_t index,
                               stoa_error *err) {
    if (lane->plan->encodes[index]) {
        return encode_leaf(lane, window, index, err);
    }
    STOA_TRY(stoa_read_lane_read(lane, window, index,
                                 &lane->values[lane->plan->leaves[index]->leaf], err));
    return stoa_read_lane_array(lane, index, err);
}

stoa_status stoa_read_lane_fail(const stoa_read_lane *lane, const stoa_read_window *window,
                                int32_t number, stoa_status status, stoa_error *err) {
    const char *name = lane->plan->reader->footer.leaves[number].name;
    stoa_wrap(err, "row group %" PRId32 ", column '%s'", window->group, name);
    stoa_error_set_column(err, number, name);
    return status;
}

/* ---- Files that are far away ----------------------------------------------------------------- */

static uint64_t stored_bytes(const stoa_read_lane *lane, int32_t index, int32_t group) {
    const stoa_parquet_footer *footer = &lane->plan->reader->footer;
    return (uint64_t)footer->groups[group].columns[lane->plan->leaves[index]->leaf].compressed_bytes;
}

/* How much of a chunk is read ahead, of `all` bytes of the chunks that are read together. */
static size_t prefetch_bytes(const stoa_read_lane *lane, uint64_t chunk_bytes, double all) {
    const size_t limit = stoa_pool_limit(lane->context.pool) / PREFETCH_POOL_SHARE;
    const double most = limit > 0 && limit < PREFETCH_BYTES ? (double)limit : (double)PREFETCH_BYTES;
    const double share = all <= most ? (double)chunk_bytes : (double)chunk_bytes / all * most;
    return (size_t)share;
}

/* Whether the leaf is about to be read from the beginning of its chunk to its end; what is wanted of
 * others is asked of the page index. */
static bool begins_chunk(const stoa_read_lane *lane, const stoa_read_window *window,
                         int32_t index) {
    const stoa_read_leaf *leaf = &lane->leaves[index];
    const int64_t rows = lane->plan->reader->footer.groups[window->group].row_count;
    return (leaf->group != window->group || leaf->row > window->first) &&
           window->first <= rows / 8 && lane->row_end >= rows;
}

/* Without a map, chunks are read in as few requests as they can, instead of piece by piece. */
static stoa_status prefetch(stoa_read_lane *lane, const stoa_read_window *window,
                            const int32_t *leaves, int32_t count, stoa_error *err) {
    double all = 0;
    size_t range_count = 0;
    void *memory = NULL;
    for (int32_t i = 0; i < count; i++) {
        const int32_t index = leaves == NULL ? i : leaves[i];
        if (begins_chunk(lane, window, index)) {
            all += (double)stored_bytes(lane, index, window->group);
            range_count++;
        }
    }
    if (lane->plan->reader->map != NULL || range_count == 0) {
        return STOA_OK;
    }
    const size_t size = range_count * sizeof(stoa_read_range);
    STOA_TRY(stoa_pool_allocate(lane->context.pool, size, &memory, err));
    stoa_read_range *ranges = memory;
    stoa_status status = STOA_OK;
    range_count = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t index = leaves == NULL ? i : leaves[i];
        if (begins_chunk(lane, window, index)) {
            const uint64_t bytes = stored_bytes(lane, index, window->group);
            STOA_CHECK(stoa_read_lane_open(lane, window, index, err));
            stoa_page_reader *pages = &lane->leaves[index].chunk->pages;
            const size_t ahead = prefetch_bytes(lane, bytes, all);
            STOA_CHECK(stoa_page_reader_prefetch(pages, ahead, &ranges[range_count++], err));
            pages->read_ahead = ahead > pages->read_ahead ? ahead : pages->read_ahead;
        }
    }
    status = stoa_file_read_vector(lane->plan->reader->file, ranges, range_count, err);

done:
    stoa_pool_free(lane->context.pool, memory, size);
    return status;
}

/* ---- Windows --------------------------------------------------------------------------------- */

stoa_status stoa_read_lane_decode(stoa_read_lane *lane, const stoa_read_window *window,
                                  const int32_t *leaves, int32_t leaf_count, stoa_error *err) {
    const int32_t count = leaves == NULL ? lane->plan->leaf_count : leaf_count;
    STOA_TRY(prefetch(lane, window, leaves, count, err));
    for (int32_t i = 0; i < count; i++) {
        const int32_t index = leaves == NULL ? i : leaves[i];
        const stoa_status status = decode_leaf(lane, window, index, err);
        if (status != STOA_OK) {
            return stoa_read_lane_fail(lane, window, lane->plan->leaves[index]->leaf, status, err);
        }
    }
    return STOA_OK;
}

/* Of strings that do not repeat as many rows fit as values were read; of others perhaps half of them. */
static int64_t fitting_rows(const stoa_chunk_values *values, int64_t row_count) {
    const int64_t fitting = (int64_t)(values->offsets.size / sizeof(int32_t)) - 1;
    if (values->repetition.size > 0 || fitting < 1 || fitting >= row_count) {
        return row_count / 2;
    }
    return fitting;
}

bool stoa_read_lane_narrow(stoa_read_lane *lane, stoa_read_window *window) {
    int64_t row_count = window->count;
    for (int32_t i = 0; i < lane->plan->leaf_count; i++) {
        const stoa_chunk_values *values = &lane->values[lane->plan->leaves[i]->leaf];
        if (values->is_full) {
            row_count = fitting_rows(values, window->count);
            lane->leaves[i].group = -1; /* it stands somewhere in the window */
        }
    }
    if (row_count < 1 || row_count == window->count) {
        return false;
    }
    window->count = row_count;
    lane->narrow_group = window->group;
    lane->narrow_rows = row_count;
    return true;
}

stoa_status stoa_read_lane_batch(stoa_read_lane *lane, const stoa_read_window *window,
                                 struct ArrowArray *out, stoa_error *err) {
    stoa_pool *pool = lane->context.pool;
    const stoa_read_node *root = &lane->plan->root;
    STOA_TRY(stoa_arrow_array_init(pool, 1, root->child_count, false, out, err));
    out->length = window->count;
    for (int32_t i = 0; i < root->child_count; i++) {
        const stoa_read_node *node = &root->children[i];
        stoa_status status = stoa_read_node_array(pool, node, lane->values, lane->arrays,
                                                  out->children[i], err);
        if (status == STOA_OK && out->children[i]->length != out->length) {
            status = stoa_fail(err, STOA_CORRUPT, "expected %" PRId64 " rows but found %" PRId64,
                               out->length, out->children[i]->length);
        }
        if (status != STOA_OK) {
            stoa_arrow_array_release(out);
            return stoa_read_lane_fail(lane, window, node->leaf, status, err);
        }
    }
    return STOA_OK;
}

stoa_status stoa_read_lane_rows(stoa_read_lane *lane, stoa_read_window *window,
                                struct ArrowArray *out, stoa_error *err) {
    stoa_error cause = STOA_ERROR_NONE;
    if (lane->narrow_group == window->group && lane->narrow_rows < window->count) {
        window->count = lane->narrow_rows;
    }
    stoa_status status = stoa_read_lane_decode(lane, window, NULL, 0, &cause);
    while (status != STOA_OK && stoa_read_lane_narrow(lane, window)) {
        stoa_error_clear(&cause);
        status = stoa_read_lane_decode(lane, window, NULL, 0, &cause);
    }
    if (status != STOA_OK) {
        if (err != NULL) {
            *err = cause;
        }
        return status;
    }
    return stoa_read_lane_batch(lane, window, out, err);
}
