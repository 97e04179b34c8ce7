/* A stream walks row groups and, within them, the ranges that were asked for. Each leaf has a chunk
 * reader; for a batch all of them pass over the rows that are not wanted and read the same rows, one
 * task a leaf; then the calling thread puts nested fields together. */
#include "parquet/reader.h"

#include "arrow/owner.h"
#include "arrow/stream.h"
#include "base/checked.h"
#include "parquet/read_array.h"
#include "sched/sched.h"

enum { BATCH_ROWS = 65536 };

struct stoa_parquet_reader {
    stoa_context context;
    stoa_file *file;
    stoa_parquet_footer footer;
    stoa_arena arena;
    stoa_read_node root;
    const stoa_schema *schema;
    int64_t row_count;
    stoa_read_array_options arrays;
};

/* A leaf of the projection. */
struct leaf_state {
    const stoa_read_node *node;
    stoa_chunk_reader *chunk;
};

struct parquet_stream {
    const stoa_parquet_reader *reader;
    stoa_parquet_read_options options; /* its arrays lie in the arena */
    stoa_arena arena;
    stoa_read_node root; /* of the projection */
    struct leaf_state *leaves;
    int32_t leaf_count;
    stoa_chunk_values *values; /* by number of the footer's leaf, as the next */
    struct ArrowArray *arrays_of_leaves;

    int32_t next_group; /* among options.groups */
    int32_t group;      /* that is open; -1: none */
    int64_t group_first;
    int64_t group_end;
    int64_t row;       /* of the file, that the chunks stand at */
    int64_t skip_rows; /* of the batch that is read now */
    int64_t take_rows;
};

/* ---- Rows ------------------------------------------------------------------------------------ */

static const stoa_parquet_group *group_of(const struct parquet_stream *stream) {
    return &stream->reader->footer.groups[stream->group];
}

/* The first range that ends behind `row`; all rows where none were given. */
static bool range_behind(const struct parquet_stream *stream, int64_t row,
                         stoa_parquet_row_range *out) {
    const stoa_parquet_read_options *options = &stream->options;
    if (options->ranges == NULL) {
        *out = (stoa_parquet_row_range){0, INT64_MAX};
        return true;
    }
    int32_t low = 0, high = options->range_count;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (options->ranges[middle].first + options->ranges[middle].count > row) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low == options->range_count) {
        return false;
    }
    *out = options->ranges[low];
    return true;
}

/* What of the open group comes next: rows to pass over and rows to take. */
static bool next_rows(struct parquet_stream *stream) {
    stoa_parquet_row_range range;
    if (stream->row >= stream->group_end || !range_behind(stream, stream->row, &range) ||
        range.first >= stream->group_end) {
        return false;
    }
    const int64_t first = range.first > stream->row ? range.first : stream->row;
    const int64_t range_end = stream->options.ranges == NULL ? INT64_MAX
                                                             : range.first + range.count;
    const int64_t end = range_end < stream->group_end ? range_end : stream->group_end;
    const int64_t count = end - first;
    stream->skip_rows = first - stream->row;
    stream->take_rows = count < stream->options.batch_rows ? count : stream->options.batch_rows;
    return true;
}

/* ---- Row groups ------------------------------------------------------------------------------ */

static void close_group(struct parquet_stream *stream) {
    for (int32_t i = 0; i < stream->leaf_count; i++) {
        if (stream->leaves[i].chunk != NULL) {
            stoa_chunk_reader_release(stream->leaves[i].chunk);
            stoa_pool_free(stream->reader->context.pool, stream->leaves[i].chunk,
                           sizeof *stream->leaves[i].chunk);
            stream->leaves[i].chunk = NULL;
        }
    }
    stream->group = -1;
}

static stoa_status check_chunk(const struct parquet_stream *stream, int32_t leaf, stoa_error *err) {
    const stoa_parquet_footer *footer = &stream->reader->footer;
    const stoa_parquet_column *column = &group_of(stream)->columns[leaf];
    const int32_t physical = footer->elements[footer->leaves[leaf].element].physical;
    if (column->physical == physical) {
        return STOA_OK;
    }
    const char *found = stoa_parquet_physical_name(column->physical);
    stoa_fail(err, STOA_CORRUPT,
              "row group %" PRId32 ", column '%s': expected the schema's type "
              "%s but found %s",
              stream->group, footer->leaves[leaf].name, stoa_parquet_physical_name(physical),
              found == NULL ? "none" : found);
    stoa_error_set_file(err, stream->reader->file->uri, (int64_t)column->offset);
    return STOA_CORRUPT;
}

static stoa_status open_group(struct parquet_stream *stream, stoa_error *err) {
    const stoa_parquet_reader *reader = stream->reader;
    for (int32_t i = 0; i < stream->leaf_count; i++) {
        void *memory = NULL;
        const int32_t leaf = stream->leaves[i].node->leaf;
        STOA_TRY(check_chunk(stream, leaf, err));
        STOA_TRY(stoa_pool_allocate(reader->context.pool, sizeof(stoa_chunk_reader), &memory, err));
        stream->leaves[i].chunk = memory;
        stoa_chunk_reader_init(stream->leaves[i].chunk, &reader->context, reader->file,
                               &reader->footer, stream->group, leaf,
                               stream->options.ignores_checksums);
    }
    return STOA_OK;
}

/* Goes on to the next rows that are wanted; `*out_end` is true when there are none. */
static stoa_status advance(struct parquet_stream *stream, bool *out_end, stoa_error *err) {
    const stoa_parquet_footer *footer = &stream->reader->footer;
    const stoa_parquet_read_options *options = &stream->options;
    const int32_t count = options->groups == NULL ? footer->group_count : options->group_count;
    *out_end = false;
    while (stream->group < 0 || !next_rows(stream)) {
        close_group(stream);
        if (stream->next_group == count) {
            *out_end = true;
            return STOA_OK;
        }
        const int32_t group = options->groups == NULL ? stream->next_group
                                                      : options->groups[stream->next_group];
        stream->next_group++;
        stream->group_first = 0;
        for (int32_t i = 0; i < group; i++) {
            stream->group_first += footer->groups[i].row_count;
        }
        stream->group = group;
        stream->group_end = stream->group_first + footer->groups[group].row_count;
        stream->row = stream->group_first;
        if (next_rows(stream)) {
            STOA_TRY(open_group(stream, err));
        }
    }
    return STOA_OK;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static stoa_status read_leaf(struct parquet_stream *stream, struct leaf_state *leaf,
                             stoa_error *err) {
    const int32_t number = leaf->node->leaf;
    stoa_chunk_values *values = &stream->values[number];
    STOA_TRY(stoa_chunk_reader_read(leaf->chunk, stream->skip_rows, true, values, err));
    STOA_TRY(stoa_chunk_reader_read(leaf->chunk, stream->take_rows, false, values, err));
    return stoa_read_leaf_array(stream->reader->context.pool, leaf->node, &stream->reader->arrays,
                                values, &stream->arrays_of_leaves[number], err);
}

static stoa_status read_leaves(void *user, int64_t begin, int64_t end, stoa_error *err) {
    struct parquet_stream *stream = user;
    for (int64_t i = begin; i < end; i++) {
        struct leaf_state *leaf = &stream->leaves[i];
        const stoa_status status = read_leaf(stream, leaf, err);
        if (status != STOA_OK) {
            const char *name = stream->reader->footer.leaves[leaf->node->leaf].name;
            stoa_wrap(err, "row group %" PRId32 ", column '%s'", stream->group, name);
            stoa_error_set_column(err, leaf->node->leaf, name);
            return status;
        }
    }
    return STOA_OK;
}

static stoa_status make_batch(struct parquet_stream *stream, struct ArrowArray *out,
                              stoa_error *err) {
    stoa_pool *pool = stream->reader->context.pool;
    STOA_TRY(stoa_arrow_array_init(pool, 1, stream->root.child_count, false, out, err));
    out->length = stream->take_rows;
    for (int32_t i = 0; i < stream->root.child_count; i++) {
        const stoa_read_node *node = &stream->root.children[i];
        stoa_status status = stoa_read_node_array(pool, node, stream->values,
                                                  stream->arrays_of_leaves, out->children[i], err);
        if (status == STOA_OK && out->children[i]->length != out->length) {
            status = stoa_fail(err, STOA_CORRUPT, "expected %" PRId64 " rows but found %" PRId64,
                               out->length, out->children[i]->length);
        }
        if (status != STOA_OK) {
            stoa_wrap(err, "row group %" PRId32 ", column '%s'", stream->group,
                      stream->reader->footer.leaves[node->leaf].name);
            stoa_arrow_array_release(out);
            return status;
        }
    }
    return STOA_OK;
}

static void release_leaf_arrays(struct parquet_stream *stream) {
    for (int32_t i = 0; i < stream->leaf_count; i++) {
        stoa_arrow_array_release(&stream->arrays_of_leaves[stream->leaves[i].node->leaf]);
    }
}

static stoa_status stream_next(void *state, struct ArrowArray *out, stoa_error *err) {
    struct parquet_stream *stream = state;
    const stoa_context *context = &stream->reader->context;
    bool end;
    *out = (struct ArrowArray){0};
    STOA_TRY(stoa_cancel_check(context->cancel, err));
    STOA_TRY(advance(stream, &end, err));
    if (end) {
        return STOA_OK;
    }
    stoa_status status = stoa_parallel_for(context, stream->leaf_count, 1, read_leaves, stream,
                                           err);
    if (status == STOA_OK) {
        status = make_batch(stream, out, err);
    }
    release_leaf_arrays(stream);
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", stoa_file_uri(stream->reader->file));
        return status;
    }
    stream->row += stream->skip_rows + stream->take_rows;
    return STOA_OK;
}

static void stream_close(void *state) {
    struct parquet_stream *stream = state;
    stoa_pool *pool = stream->reader->context.pool;
    close_group(stream);
    for (int32_t i = 0; i < stream->leaf_count; i++) {
        stoa_chunk_values_release(&stream->values[stream->leaves[i].node->leaf]);
    }
    stoa_arena_release(&stream->arena);
    stoa_pool_free(pool, stream, sizeof *stream);
}

/* ---- Opening --------------------------------------------------------------------------------- */

/* Fills `leaves`, when it is there, and counts. As deep as a schema is. */
static int32_t list_leaves(const stoa_read_node *node, struct leaf_state *leaves, int32_t count) {
    if (node->child_count == 0 && node->kind != STOA_TYPE_STRUCT) {
        if (leaves != NULL) {
            leaves[count] = (struct leaf_state){.node = node};
        }
        return count + 1;
    }
    for (int32_t i = 0; i < node->child_count; i++) {
        count = list_leaves(&node->children[i], leaves, count);
    }
    return count;
}

static stoa_status copy_array(stoa_arena *arena, const void *source, int32_t count, size_t size,
                              const void **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (source == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count + 1, size, &memory, err));
    memcpy(memory, source, (size_t)count * size);
    *out = memory;
    return STOA_OK;
}

static stoa_status check_options(const stoa_parquet_reader *reader,
                                 const stoa_parquet_read_options *options, stoa_error *err) {
    int64_t end = 0;
    for (int32_t i = 0; options->groups != NULL && i < options->group_count; i++) {
        if (options->groups[i] < 0 || options->groups[i] >= reader->footer.group_count) {
            return stoa_fail(err, STOA_INVALID,
                             "expected a row group from 0 to %" PRId32 " but found %" PRId32,
                             reader->footer.group_count - 1, options->groups[i]);
        }
    }
    for (int32_t i = 0; options->ranges != NULL && i < options->range_count; i++) {
        const stoa_parquet_row_range *range = &options->ranges[i];
        int64_t range_end;
        if (range->first < end || range->count < 1 ||
            !stoa_add_i64(range->first, range->count, &range_end) ||
            range_end > reader->row_count) {
            return stoa_fail(err, STOA_INVALID,
                             "expected growing ranges within %" PRId64 " rows but found %" PRId64
                             " rows from %" PRId64,
                             reader->row_count, range->count, range->first);
        }
        end = range_end;
    }
    if (options->batch_rows < 0) {
        return stoa_fail(err, STOA_INVALID, "expected a number of rows but found %" PRId64,
                         options->batch_rows);
    }
    return STOA_OK;
}

static stoa_status copy_options(struct parquet_stream *stream,
                                const stoa_parquet_read_options *options, stoa_error *err) {
    const void *groups, *ranges;
    STOA_TRY(copy_array(&stream->arena, options->groups, options->group_count, sizeof(int32_t),
                        &groups, err));
    STOA_TRY(copy_array(&stream->arena, options->ranges, options->range_count,
                        sizeof(stoa_parquet_row_range), &ranges, err));
    stream->options = *options;
    stream->options.groups = groups;
    stream->options.ranges = ranges;
    stream->options.batch_rows = options->batch_rows == 0 ? BATCH_ROWS : options->batch_rows;
    stream->options.batch_rows = stream->options.batch_rows < INT32_MAX - 8
                                     ? stream->options.batch_rows
                                     : INT32_MAX - 8;
    return STOA_OK;
}

static stoa_status make_leaves(struct parquet_stream *stream, stoa_error *err) {
    const stoa_parquet_reader *reader = stream->reader;
    const size_t all = (size_t)reader->footer.leaf_count;
    void *leaves = NULL, *values = NULL, *arrays = NULL;
    const int32_t count = list_leaves(&stream->root, NULL, 0);
    STOA_TRY(stoa_arena_allocate_array(&stream->arena, (size_t)count, sizeof *stream->leaves,
                                       &leaves, err));
    STOA_TRY(stoa_arena_allocate_array(&stream->arena, all, sizeof *stream->values, &values, err));
    STOA_TRY(stoa_arena_allocate_array(&stream->arena, all, sizeof *stream->arrays_of_leaves,
                                       &arrays, err));
    stream->leaves = leaves;
    stream->values = values;
    stream->arrays_of_leaves = arrays;
    stream->leaf_count = list_leaves(&stream->root, leaves, 0);
    for (int32_t i = 0; i < stream->leaf_count; i++) {
        stoa_chunk_values_init(&stream->values[stream->leaves[i].node->leaf], reader->context.pool);
    }
    return STOA_OK;
}

static stoa_status prepare(struct parquet_stream *stream, const stoa_parquet_read_options *options,
                           struct ArrowSchema *out_schema, stoa_error *err) {
    const stoa_parquet_reader *reader = stream->reader;
    const stoa_schema *schema = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(check_options(reader, options, err));
    STOA_CHECK(copy_options(stream, options, err));
    if (options->field_ids == NULL) {
        stream->root = reader->root;
        schema = stoa_schema_retain(reader->schema);
    } else {
        STOA_CHECK(stoa_read_schema_project(reader->context.pool, &stream->arena, reader->schema,
                                            &reader->root, options->field_ids, options->field_count,
                                            &stream->root, &schema, err));
    }
    STOA_CHECK(make_leaves(stream, err));
    STOA_CHECK(stoa_schema_to_arrow(reader->context.pool, schema, out_schema, err));

done:
    stoa_schema_close(schema);
    return status;
}

stoa_status stoa_parquet_reader_stream(const stoa_parquet_reader *reader,
                                       const stoa_parquet_read_options *options,
                                       struct ArrowArrayStream *out, stoa_error *err) {
    static const stoa_stream_operations operations = {.next = stream_next, .close = stream_close};
    void *memory = NULL;
    struct ArrowSchema schema = {0};
    *out = (struct ArrowArrayStream){0};
    STOA_TRY(stoa_pool_allocate(reader->context.pool, sizeof(struct parquet_stream), &memory, err));
    struct parquet_stream *stream = memory;
    *stream = (struct parquet_stream){.reader = reader, .group = -1};
    stoa_arena_init(&stream->arena, reader->context.pool);
    const stoa_status status = prepare(stream, options, &schema, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(&schema);
        stream_close(stream);
        return status;
    }
    return stoa_stream_create(reader->context.pool, &schema, &operations, stream, out, err);
}

/* The rows of all groups; some writers leave the file's own count at 0. */
static stoa_status count_rows(stoa_parquet_reader *reader, stoa_error *err) {
    for (int32_t i = 0; i < reader->footer.group_count; i++) {
        if (!stoa_add_i64(reader->row_count, reader->footer.groups[i].row_count,
                          &reader->row_count)) {
            return stoa_fail(err, STOA_CORRUPT, "its row groups have more than 2^63 rows");
        }
    }
    return STOA_OK;
}

static stoa_status open_reader(stoa_parquet_reader *reader, stoa_type_unit int96_unit,
                               stoa_error *err) {
    static const int64_t ticks[] = {1000000000, 1000, 1000000, 1000000000};
    if (int96_unit < STOA_TYPE_SECONDS || int96_unit > STOA_TYPE_NANOSECONDS) {
        return stoa_fail(err, STOA_INVALID, "%d is no unit of time", (int)int96_unit);
    }
    reader->arrays.int96_ticks_per_second = ticks[int96_unit];
    STOA_TRY(stoa_parquet_footer_read(&reader->context, reader->file, &reader->footer, err));
    STOA_TRY(count_rows(reader, err));
    return stoa_read_schema_create(&reader->context, &reader->arena, &reader->footer,
                                   int96_unit == STOA_TYPE_SECONDS ? STOA_TYPE_NANOSECONDS
                                                                   : int96_unit,
                                   &reader->root, &reader->schema, err);
}

stoa_status stoa_parquet_reader_open(const stoa_context *context, stoa_file *file,
                                     stoa_type_unit int96_unit, stoa_parquet_reader **out,
                                     stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(context->pool, sizeof(stoa_parquet_reader), &memory, err));
    stoa_parquet_reader *reader = memory;
    *reader = (stoa_parquet_reader){.context = *context, .file = file};
    stoa_arena_init(&reader->arena, context->pool);
    const stoa_status status = open_reader(reader, int96_unit, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", stoa_file_uri(file));
        stoa_parquet_reader_close(reader);
        return status;
    }
    *out = reader;
    return STOA_OK;
}

void stoa_parquet_reader_close(stoa_parquet_reader *reader) {
    if (reader == NULL) {
        return;
    }
    stoa_schema_close(reader->schema);
    stoa_arena_release(&reader->arena);
    stoa_parquet_footer_release(&reader->footer);
    stoa_pool_free(reader->context.pool, reader, sizeof *reader);
}

const stoa_schema *stoa_parquet_reader_schema(const stoa_parquet_reader *reader) {
    return reader->schema;
}
