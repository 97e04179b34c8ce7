#include "lsm/flush.h"

#include "arrow/owner.h"
#include "lsm/flush_rows.h"
#include "lsm/output.h"

enum { AHEAD = 16 }; /* rows whose keys are fetched while one is copied */

/* What all stripes share. */
struct flush {
    stoa_pool *pool;
    const stoa_stripe_layout *layout;
    stoa_flush_rows rows;
    stoa_interleave_source *sources; /* of each column, one a piece; none for columns of the key */
    int64_t source_count;
    struct stripe *stripes;
    int64_t stripe_count;
};

struct stripe {
    const struct flush *flush;
    int64_t first;
    int64_t count;
};

/* ---- The rows of a stripe --------------------------------------------------------------------- */

static void copy_numbers(const struct flush *flush, const stoa_place *places, int64_t count,
                         uint64_t *out) {
    const stoa_memtable_piece *const *pieces = flush->rows.pieces;
    for (int64_t i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            const stoa_place next = places[i + AHEAD];
            __builtin_prefetch(&pieces[next.source]->keys.numbers[next.row]);
        }
        out[i] = pieces[places[i].source]->keys.numbers[places[i].row];
    }
}

static stoa_status copy_bytes(const struct flush *flush, const stoa_place *places, int64_t count,
                              stoa_keys *keys, stoa_error *err) {
    uint32_t *offsets = (uint32_t *)(void *)keys->offsets.data;
    offsets[0] = 0;
    for (int64_t i = 0; i < count; i++) {
        const stoa_keys_view *from = &flush->rows.pieces[places[i].source]->keys;
        const uint32_t *at = from->offsets + places[i].row;
        STOA_TRY(stoa_buffer_append(&keys->bytes, from->bytes + at[0], at[1] - at[0], err));
        offsets[i + 1] = (uint32_t)keys->bytes.size; /* 8,192 keys of 64 KiB at most */
    }
    keys->offsets.size = (size_t)(count + 1) * sizeof *offsets;
    return STOA_OK;
}

static stoa_status fill_keys(const struct flush *flush, const stoa_place *places, int64_t count,
                             stoa_keys *keys, stoa_error *err) {
    if (flush->layout->key->is_number) {
        STOA_TRY(stoa_buffer_reserve(&keys->numbers, (size_t)count * sizeof(uint64_t), err));
        copy_numbers(flush, places, count, (uint64_t *)(void *)keys->numbers.data);
        keys->numbers.size = (size_t)count * sizeof(uint64_t);
    } else {
        STOA_TRY(stoa_buffer_reserve(&keys->offsets, (size_t)(count + 1) * sizeof(uint32_t), err));
        STOA_TRY(copy_bytes(flush, places, count, keys, err));
    }
    keys->count = count;
    return STOA_OK;
}

static stoa_status fill_versions(const struct flush *flush, const stoa_place *places, int64_t count,
                                 stoa_output_rows *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_reserve(&out->sequences, (size_t)count * sizeof(uint64_t), err));
    STOA_TRY(stoa_buffer_reserve(&out->operations, (size_t)count, err));
    uint64_t *sequences = (uint64_t *)(void *)out->sequences.data;
    for (int64_t i = 0; i < count; i++) {
        const stoa_memtable_row row = {flush->rows.pieces[places[i].source], places[i].row};
        sequences[i] = stoa_memtable_sequence(&row);
        out->operations.data[i] = (uint8_t)stoa_memtable_operation(&row);
    }
    out->sequences.size = (size_t)count * sizeof *sequences;
    out->operations.size = (size_t)count;
    return STOA_OK;
}

static stoa_status fill_stripe(void *user, stoa_output_rows *out, stoa_error *err) {
    const struct stripe *stripe = user;
    const struct flush *flush = stripe->flush;
    const stoa_place *places = flush->rows.places + stripe->first;
    const int64_t pieces = flush->rows.piece_count;
    const int32_t columns = flush->layout->schema->root.child_count;
    STOA_TRY(fill_keys(flush, places, stripe->count, &out->keys, err));
    STOA_TRY(fill_versions(flush, places, stripe->count, out, err));
    STOA_TRY(stoa_arrow_array_init(flush->pool, 1, columns, false, &out->batch, err));
    out->batch.length = stripe->count;
    for (int32_t i = 0; i < columns; i++) {
        if (flush->layout->column_nodes[i] >= 0) {
            STOA_TRY(stoa_interleave_column(flush->layout, flush->pool, i,
                                            flush->sources + i * pieces, (int32_t)pieces, places,
                                            stripe->count, out->batch.children[i], err));
        }
    }
    return STOA_OK;
}

/* ---- The flush ------------------------------------------------------------------------------- */

static stoa_status list_sources(struct flush *flush, stoa_error *err) {
    const int64_t pieces = flush->rows.piece_count;
    const int32_t columns = flush->layout->schema->root.child_count;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(flush->pool, (size_t)(columns * pieces),
                                      sizeof *flush->sources, &memory, err));
    flush->sources = memory;
    flush->source_count = columns * pieces;
    for (int32_t i = 0; i < columns; i++) {
        for (int64_t piece = 0; piece < pieces; piece++) {
            const struct ArrowArray *batch = &flush->rows.pieces[piece]->batch;
            const struct ArrowArray *array = batch->children[i];
            flush->sources[i * pieces + piece] = (stoa_interleave_source){array, array->offset +
                                                                                     batch->offset};
        }
    }
    return STOA_OK;
}

static stoa_status list_stripes(struct flush *flush, stoa_error *err) {
    const int64_t rows = flush->rows.count;
    const int64_t count = (rows + STOA_STRIPE_ROWS - 1) / STOA_STRIPE_ROWS;
    void *memory = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(flush->pool, (size_t)count, sizeof *flush->stripes, &memory, err));
    flush->stripes = memory;
    flush->stripe_count = count;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = i * STOA_STRIPE_ROWS;
        const int64_t left = rows - first;
        flush->stripes[i] = (struct stripe){flush, first,
                                            left < STOA_STRIPE_ROWS ? left : STOA_STRIPE_ROWS};
    }
    return STOA_OK;
}

static void release(struct flush *flush) {
    if (flush->sources != NULL) {
        stoa_pool_free(flush->pool, flush->sources,
                       (size_t)flush->source_count * sizeof *flush->sources);
    }
    if (flush->stripes != NULL) {
        stoa_pool_free(flush->pool, flush->stripes,
                       (size_t)flush->stripe_count * sizeof *flush->stripes);
    }
    stoa_flush_rows_release(&flush->rows);
}

static stoa_status add_ranges(stoa_output *output, const stoa_memtable *table, stoa_pool *pool,
                              stoa_error *err) {
    stoa_range_set ranges = {.pool = pool};
    stoa_status status = stoa_memtable_ranges(table, &ranges, err);
    for (int64_t i = 0; i < ranges.count && status == STOA_OK; i++) {
        status = stoa_output_add_range(output, &ranges.ranges[i], err);
    }
    stoa_range_set_release(&ranges);
    return status;
}

/* The first file, which is the only one. */
static stoa_status write(const struct flush *flush, stoa_memtable *const *memtables, int32_t count,
                         const stoa_flush_options *options, stoa_table_file **out,
                         stoa_error *err) {
    const stoa_output_options output_options = {
        .context = options->context,
        .file_systems = options->file_systems,
        .directory = options->directory,
        .definition = options->definition,
        .priority = STOA_FOREGROUND, /* writers may wait for the memory */
        .new_file = options->new_file,
        .new_file_user = options->new_file_user,
    };
    stoa_output *output = NULL;
    stoa_table_file *const *files = NULL;
    int64_t file_count = 0;
    STOA_TRY(stoa_output_create(&output_options, &output, err));
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < count; i++) {
        STOA_CHECK(add_ranges(output, memtables[i], flush->pool, err));
    }
    for (int64_t i = 0; i < flush->stripe_count; i++) {
        const stoa_output_source source = {.fill = fill_stripe, .user = &flush->stripes[i]};
        STOA_CHECK(stoa_output_add(output, &source, err));
    }
    STOA_CHECK(stoa_output_finish(output, &files, &file_count, err));
    *out = file_count == 0 ? NULL : stoa_table_file_retain(files[0]);

done:
    stoa_output_close(output);
    return status;
}

stoa_status stoa_flush_run(stoa_memtable *const *memtables, int32_t count,
                           const stoa_flush_options *options, stoa_table_file **out,
                           stoa_error *err) {
    stoa_pool *pool = options->context.pool;
    struct flush flush = {.pool = pool, .layout = &options->definition->layout};
    stoa_status status = STOA_OK;
    *out = NULL;
    STOA_CHECK(stoa_flush_rows_init(&flush.rows, pool, memtables, count, options->snapshots,
                                    options->snapshot_count, err));
    STOA_CHECK(list_sources(&flush, err));
    STOA_CHECK(list_stripes(&flush, err));
    STOA_CHECK(write(&flush, memtables, count, options, out, err));

done:
    release(&flush);
    return status;
}
