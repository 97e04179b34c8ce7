/* See fan_out.h. */
#include "parquet/fan_out.h"

#include <string.h>

#include "arrow/array.h"
#include "parquet/fan_runs.h"
#include "parquet/partition_map.h"
#include "sched/sched.h"
#include "schema/schema.h"

enum {
    CHUNK_BYTES_MIN = 1 << 20,
    CHUNK_BYTES_MAX = 64 << 20,
    OPEN_FILES_MAX = 128,
    RUNS_MAX = 64,        /* each is a file that is open in the end */
    PIECE_ROWS = 8192,    /* of runs */
    TAKE_ROWS = 64 * 1024, /* handed to a file at once */
    TAKES_MAX = 32,        /* copied at once */
    SELECTION_ROWS = 32    /* of a batch and a partition, on average: with fewer, batches are joined */
};

/* What has become of a partition: a file that is open, or rows in runs, or neither. */
struct fan_partition {
    void *file;
    bool in_runs;
    int64_t begin; /* its rows in the chunk that is written: [begin, end) of `order` */
    int64_t end;
};

struct stoa_fan_out {
    stoa_fan_out_options options;
    stoa_fan_out_target target;
    stoa_pool *pool;
    const stoa_schema *file_schema;
    int32_t *file_columns; /* their positions among all */
    struct ArrowSchema arrow;      /* of all columns */
    struct ArrowSchema file_arrow; /* of those that files keep */
    stoa_partition_map map;
    struct fan_partition *partitions; /* one for each of the map's */
    int32_t partition_count;
    int32_t partition_capacity;
    int32_t open_files;
    struct ArrowArray *batches; /* of the chunk that is gathered */
    int64_t batch_count;
    int64_t batch_capacity;
    size_t chunk_gathered; /* bytes */
    size_t chunk_bytes;
    stoa_fan_run runs[RUNS_MAX];
    int32_t run_count;
};

/* ---- opening and closing --------------------------------------------------------------------- */

static size_t choose_chunk_bytes(const stoa_fan_out_options *options) {
    size_t bytes = stoa_pool_limit(options->context.pool) / 16;
    bytes = bytes > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : bytes;
    bytes = bytes < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN : bytes;
    return options->chunk_bytes > 0 ? options->chunk_bytes : bytes;
}

static stoa_status choose_columns(stoa_fan_out *fan, stoa_error *err) {
    const stoa_type *root = &fan->options.schema->root;
    int32_t count = 0;
    STOA_TRY(stoa_partition_file_schema(fan->pool, fan->options.spec, fan->options.schema,
                                        &fan->file_schema, err));
    STOA_TRY(stoa_pool_allocate_array(fan->pool, (size_t)root->child_count,
                                      sizeof *fan->file_columns, (void **)&fan->file_columns, err));
    for (int32_t i = 0; i < root->child_count; i++) {
        if (stoa_partition_identity(fan->options.spec, root->children[i].id) < 0) {
            fan->file_columns[count++] = i;
        }
    }
    STOA_TRY(stoa_schema_to_arrow(fan->pool, fan->options.schema, &fan->arrow, err));
    return stoa_schema_to_arrow(fan->pool, fan->file_schema, &fan->file_arrow, err);
}

stoa_status stoa_fan_out_create(const stoa_fan_out_options *options,
                                const stoa_fan_out_target *target, stoa_fan_out **out,
                                stoa_error *err) {
    stoa_fan_out *fan = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(options->context.pool, 1, sizeof *fan, (void **)&fan, err));
    fan->options = *options;
    fan->options.spec = stoa_partition_spec_retain(options->spec);
    fan->options.schema = stoa_schema_retain(options->schema);
    fan->target = *target;
    fan->pool = options->context.pool;
    fan->chunk_bytes = choose_chunk_bytes(options);
    stoa_partition_map_init(&fan->map, fan->pool, options->spec, options->schema);
    stoa_status status = choose_columns(fan, err);
    if (status != STOA_OK) {
        stoa_fan_out_close(fan);
        return status;
    }
    *out = fan;
    return STOA_OK;
}

static void release_runs(stoa_fan_out *fan) {
    for (int32_t i = 0; i < fan->run_count; i++) {
        stoa_fan_run_release(&fan->runs[i], fan->options.file_systems, fan->pool);
    }
    fan->run_count = 0;
}

static void release_batches(stoa_fan_out *fan) {
    for (int64_t i = 0; i < fan->batch_count; i++) {
        stoa_arrow_array_release(&fan->batches[i]);
    }
    fan->batch_count = 0;
    fan->chunk_gathered = 0;
}

void stoa_fan_out_close(stoa_fan_out *fan) {
    if (fan == NULL) {
        return;
    }
    for (int32_t i = 0; i < fan->partition_count; i++) {
        if (fan->partitions[i].file != NULL) {
            fan->target.give_up(fan->target.user, fan->partitions[i].file);
        }
    }
    release_runs(fan);
    release_batches(fan);
    stoa_pool *pool = fan->pool;
    stoa_pool_free(pool, fan->batches, (size_t)fan->batch_capacity * sizeof *fan->batches);
    stoa_pool_free(pool, fan->partitions,
                   (size_t)fan->partition_capacity * sizeof *fan->partitions);
    stoa_pool_free(pool, fan->file_columns,
                   (size_t)fan->options.schema->root.child_count * sizeof *fan->file_columns);
    stoa_partition_map_release(&fan->map);
    stoa_arrow_schema_release(&fan->arrow);
    stoa_arrow_schema_release(&fan->file_arrow);
    stoa_schema_close(fan->file_schema);
    stoa_schema_close(fan->options.schema);
    stoa_partition_spec_close(fan->options.spec);
    stoa_pool_free(pool, fan, sizeof *fan);
}

/* ---- files ----------------------------------------------------------------------------------- */

static stoa_status end_file(stoa_fan_out *fan, struct fan_partition *partition, stoa_error *err) {
    void *file = partition->file;
    if (file == NULL) {
        return STOA_OK;
    }
    partition->file = NULL;
    fan->open_files--;
    return fan->target.end(fan->target.user, file, err);
}

/* Takes `batch`, also on error. */
static stoa_status write_batch(stoa_fan_out *fan, int32_t id, struct ArrowArray *batch,
                               stoa_error *err) {
    struct fan_partition *partition = &fan->partitions[id];
    const stoa_partition_entry *entry = &fan->map.entries[id];
    bool full = false;
    if (partition->file == NULL) {
        stoa_status status = fan->target.begin(fan->target.user, entry->folder, entry->values,
                                               &partition->file, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(batch);
            return status;
        }
        fan->open_files++;
    }
    STOA_TRY(fan->target.write(fan->target.user, partition->file, batch, &full, err));
    return full ? end_file(fan, partition, err) : STOA_OK;
}

/* ---- a chunk --------------------------------------------------------------------------------- */

/* The gathered rows, put in order of partitions. They are counted over all batches. */
struct chunk {
    struct ArrowArray *rows; /* the gathered batches, of columns that files keep */
    int64_t *starts;         /* one a batch, and the end of the last */
    int64_t batch_count;
    int64_t length;
    int32_t *ids;      /* by row */
    int64_t *order;    /* rows, those of one partition together and as they came */
    int64_t row_bytes; /* about */
};

static void chunk_release(stoa_fan_out *fan, struct chunk *chunk) {
    const size_t count = (size_t)chunk->length, batches = (size_t)chunk->batch_count;
    for (size_t i = 0; i < batches && chunk->rows != NULL; i++) {
        stoa_arrow_array_release(&chunk->rows[i]);
    }
    stoa_pool_free(fan->pool, chunk->rows, batches * sizeof *chunk->rows);
    stoa_pool_free(fan->pool, chunk->starts, (batches + 1) * sizeof *chunk->starts);
    stoa_pool_free(fan->pool, chunk->ids, count * sizeof *chunk->ids);
    stoa_pool_free(fan->pool, chunk->order, count * sizeof *chunk->order);
}

/* The batches of `rows` become one. */
static stoa_status join_batches(stoa_fan_out *fan, struct chunk *chunk, stoa_error *err) {
    const struct ArrowArray **list = NULL;
    struct ArrowArray joined = {0};
    const size_t bytes = (size_t)chunk->batch_count * sizeof(struct ArrowArray *);
    STOA_TRY(stoa_pool_allocate(fan->pool, bytes, (void **)&list, err));
    for (int64_t i = 0; i < chunk->batch_count; i++) {
        list[i] = &chunk->rows[i];
    }
    stoa_status status = stoa_arrow_concat(fan->pool, &fan->file_arrow, list, chunk->batch_count,
                                           &joined, err);
    stoa_pool_free(fan->pool, list, bytes);
    STOA_TRY(status);
    for (int64_t i = 0; i < chunk->batch_count; i++) {
        stoa_arrow_array_release(&chunk->rows[i]);
    }
    chunk->rows[0] = joined;
    for (int64_t i = 1; i <= chunk->batch_count; i++) {
        chunk->starts[i] = chunk->length; /* the others are empty */
    }
    return STOA_OK;
}

static stoa_status reserve_partitions(stoa_fan_out *fan, stoa_error *err) {
    int32_t count = fan->map.count;
    if (count > fan->partition_capacity) {
        int32_t capacity = fan->partition_capacity * 2 > count ? fan->partition_capacity * 2
                                                               : count;
        STOA_TRY(stoa_pool_reallocate(fan->pool, (void **)&fan->partitions,
                                      (size_t)fan->partition_capacity * sizeof *fan->partitions,
                                      (size_t)capacity * sizeof *fan->partitions, err));
        fan->partition_capacity = capacity;
    }
    memset(fan->partitions + fan->partition_count, 0,
           (size_t)(count - fan->partition_count) * sizeof *fan->partitions);
    fan->partition_count = count;
    return STOA_OK;
}

/* A counting sort, which keeps the order of a partition's rows. How many partitions have some. */
static int64_t put_in_order(stoa_fan_out *fan, struct chunk *chunk) {
    int64_t at = 0, filled = 0;
    for (int32_t i = 0; i < fan->partition_count; i++) {
        fan->partitions[i].begin = fan->partitions[i].end = 0;
    }
    for (int64_t row = 0; row < chunk->length; row++) {
        fan->partitions[chunk->ids[row]].end++;
    }
    for (int32_t i = 0; i < fan->partition_count; i++) {
        int64_t count = fan->partitions[i].end;
        fan->partitions[i].begin = fan->partitions[i].end = at;
        at += count;
        filled += count > 0;
    }
    for (int64_t row = 0; row < chunk->length; row++) {
        chunk->order[fan->partitions[chunk->ids[row]].end++] = row;
    }
    return filled;
}

static stoa_status chunk_allocate(stoa_fan_out *fan, struct chunk *chunk, stoa_error *err) {
    const int64_t batches = fan->batch_count;
    int64_t rows = 0;
    chunk->batch_count = batches;
    for (int64_t i = 0; i < batches; i++) {
        rows += fan->batches[i].length;
    }
    chunk->length = rows;
    chunk->row_bytes = (int64_t)fan->chunk_gathered / rows + 1;
    STOA_TRY(stoa_pool_allocate_array(fan->pool, (size_t)batches, sizeof *chunk->rows,
                                      (void **)&chunk->rows, err));
    STOA_TRY(stoa_pool_allocate_array(fan->pool, (size_t)batches + 1, sizeof *chunk->starts,
                                      (void **)&chunk->starts, err));
    STOA_TRY(stoa_pool_allocate_array(fan->pool, (size_t)rows, sizeof *chunk->ids,
                                      (void **)&chunk->ids, err));
    return stoa_pool_allocate_array(fan->pool, (size_t)rows, sizeof *chunk->order,
                                    (void **)&chunk->order, err);
}

static stoa_status chunk_init(stoa_fan_out *fan, struct chunk *chunk, stoa_error *err) {
    STOA_TRY(chunk_allocate(fan, chunk, err));
    for (int64_t i = 0; i < chunk->batch_count; i++) {
        struct ArrowArray *batch = &fan->batches[i];
        STOA_TRY(stoa_partition_map_rows(&fan->map, batch, chunk->ids + chunk->starts[i], err));
        STOA_TRY(stoa_arrow_select_columns(fan->pool, batch, fan->file_columns,
                                           fan->file_schema->root.child_count, &chunk->rows[i],
                                           err));
        chunk->starts[i + 1] = chunk->starts[i] + batch->length;
    }
    release_batches(fan);
    STOA_TRY(reserve_partitions(fan, err));
    const int64_t filled = put_in_order(fan, chunk);
    return chunk->length / filled < SELECTION_ROWS * chunk->batch_count
               ? join_batches(fan, chunk, err)
               : STOA_OK;
}

/* ---- rows of the chunk, copied: a slice would keep all of it --------------------------------- */

/* Entries [begin, end) of the order that are of one batch: `*at` is where they begin, and moves on. As a
 * run where they follow one another. */
static stoa_arrow_selection select_batch(const struct chunk *chunk, int64_t batch, int64_t *at,
                                         int64_t end) {
    int64_t *order = chunk->order + *at;
    const int64_t first = chunk->starts[batch], last = chunk->starts[batch + 1];
    int64_t count = 0;
    while (*at + count < end && order[count] < last) {
        order[count] -= first; /* nobody asks for these entries again */
        count++;
    }
    *at += count;
    const bool is_run = count > 0 && order[count - 1] - order[0] == count - 1;
    return (stoa_arrow_selection){.source = &chunk->rows[batch],
                                  .indices = is_run ? NULL : order,
                                  .first = count > 0 ? order[0] : 0,
                                  .count = count};
}

/* Entries [begin, begin + count) of the order, once. */
static stoa_status take(const stoa_fan_out *fan, const struct chunk *chunk, int64_t begin,
                        int64_t count, struct ArrowArray *out, stoa_error *err) {
    stoa_arrow_selection *selections = NULL;
    const size_t bytes = (size_t)chunk->batch_count * sizeof *selections;
    const int64_t end = begin + count;
    int64_t used = 0;
    STOA_TRY(stoa_pool_allocate(fan->pool, bytes, (void **)&selections, err));
    for (int64_t batch = 0; begin < end; batch++) {
        if (chunk->order[begin] < chunk->starts[batch + 1]) {
            selections[used++] = select_batch(chunk, batch, &begin, end);
        }
    }
    stoa_status status = stoa_arrow_take_from(fan->pool, &fan->file_arrow, selections, used, out,
                                              err);
    stoa_pool_free(fan->pool, selections, bytes);
    return status;
}

/* Some of a partition's rows, on their way to its file. */
struct take {
    int32_t id;
    int64_t begin;
    int64_t count;
    int64_t whole; /* a batch that they are all of, which is handed over; -1: they are copied */
    bool ends;     /* the file, after these */
    struct ArrowArray batch;
};

/* Takes that are copied at once, by as many tasks as come free, then written in their order. */
struct takes {
    stoa_fan_out *fan;
    struct chunk *chunk;
    int64_t count;
    struct take list[TAKES_MAX];
};

static stoa_status copy_takes(void *user, int64_t begin, int64_t end, stoa_error *err) {
    struct takes *takes = user;
    for (int64_t i = begin; i < end; i++) {
        struct take *one = &takes->list[i];
        if (one->whole < 0) {
            STOA_TRY(take(takes->fan, takes->chunk, one->begin, one->count, &one->batch, err));
        } else {
            one->batch = takes->chunk->rows[one->whole];
            takes->chunk->rows[one->whole] = (struct ArrowArray){0};
        }
    }
    return STOA_OK;
}

static stoa_status write_takes(struct takes *takes, stoa_error *err) {
    stoa_fan_out *fan = takes->fan;
    stoa_status status = stoa_parallel_for(&fan->options.context, takes->count, 1, copy_takes,
                                           takes, err);
    for (int64_t i = 0; i < takes->count; i++) {
        struct take *one = &takes->list[i];
        if (status == STOA_OK) {
            status = write_batch(fan, one->id, &one->batch, err);
        }
        if (status == STOA_OK && one->ends) {
            status = end_file(fan, &fan->partitions[one->id], err);
        }
        stoa_arrow_array_release(&one->batch);
    }
    takes->count = 0;
    return status;
}

/* What goes to a file at once, from entry `at` of the order on: rows that are a whole batch, or some. */
static struct take next_take(const struct chunk *chunk, int64_t at, int64_t end) {
    const int64_t left = end - at, first = chunk->order[at];
    struct take one = {.begin = at, .count = left < TAKE_ROWS ? left : TAKE_ROWS, .whole = -1};
    int64_t low = 0, high = chunk->batch_count;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        *(chunk->starts[middle] <= first ? &low : &high) = middle;
    }
    const int64_t rows = chunk->starts[low + 1] - chunk->starts[low];
    if (first == chunk->starts[low] && rows > 0 && rows <= left &&
        chunk->order[at + rows - 1] == first + rows - 1) {
        one.whole = low;
        one.count = rows;
    }
    return one;
}

static stoa_status write_to_file(struct takes *takes, int32_t id, bool last, stoa_error *err) {
    const int64_t end = takes->fan->partitions[id].end;
    for (int64_t at = takes->fan->partitions[id].begin; at < end;) {
        struct take one = next_take(takes->chunk, at, end);
        at += one.count;
        one.id = id;
        one.ends = last && at == end;
        takes->list[takes->count++] = one;
        if (takes->count == TAKES_MAX) {
            STOA_TRY(write_takes(takes, err));
        }
    }
    return STOA_OK;
}

/* Whether one more file may be open: each keeps a row group that is filled, and some of what was encoded
 * before; one of them encodes at a time. */
static bool may_open(const stoa_fan_out *fan, const struct chunk *chunk) {
    uint64_t group = (uint64_t)fan->options.row_group_rows * (uint64_t)chunk->row_bytes;
    group = group < fan->options.row_group_bytes ? group : fan->options.row_group_bytes;
    const uint64_t room = stoa_pool_limit(fan->pool) / 4;
    const uint64_t files = (uint64_t)fan->open_files + 1;
    return fan->open_files == 0 ||
           (fan->open_files < OPEN_FILES_MAX && group * (files + files / 2 + 1) <= room);
}

static stoa_status begin_run(stoa_fan_out *fan, stoa_fan_run **out, stoa_error *err) {
    const char *folder = NULL;
    *out = &fan->runs[fan->run_count++];
    **out = (stoa_fan_run){0};
    STOA_TRY(fan->target.scratch(fan->target.user, &folder, err));
    return stoa_fan_run_begin(*out, fan->options.file_systems, &fan->options.context, folder,
                              &fan->file_arrow, err);
}

static stoa_status write_to_run(stoa_fan_out *fan, const struct chunk *chunk, int32_t id,
                                stoa_fan_run *run, stoa_error *err) {
    int64_t end = fan->partitions[id].end;
    fan->partitions[id].in_runs = true;
    for (int64_t at = fan->partitions[id].begin; at < end; at += PIECE_ROWS) {
        struct ArrowArray batch = {0};
        int64_t count = end - at < PIECE_ROWS ? end - at : PIECE_ROWS;
        STOA_TRY(take(fan, chunk, at, count, &batch, err));
        stoa_status status = stoa_fan_run_write(run, id, &batch, err);
        stoa_arrow_array_release(&batch);
        STOA_TRY(status);
    }
    return STOA_OK;
}

static stoa_status write_partition(struct takes *takes, int32_t id, bool last, stoa_fan_run **run,
                                   stoa_error *err) {
    stoa_fan_out *fan = takes->fan;
    struct fan_partition *partition = &fan->partitions[id];
    if (partition->begin == partition->end) {
        return STOA_OK;
    }
    if (!partition->in_runs && !last && partition->file == NULL) {
        STOA_TRY(write_takes(takes, err)); /* which opens files */
    }
    if (!partition->in_runs &&
        (last || partition->file != NULL || may_open(fan, takes->chunk))) {
        return write_to_file(takes, id, last, err);
    }
    if (*run == NULL) {
        STOA_TRY(begin_run(fan, run, err));
    }
    return write_to_run(fan, takes->chunk, id, *run, err);
}

/* ---- runs ------------------------------------------------------------------------------------ */

static stoa_status write_from_runs(stoa_fan_out *fan, int32_t id, stoa_error *err) {
    for (int32_t i = 0; i < fan->run_count; i++) {
        for (;;) {
            struct ArrowArray batch = {0};
            STOA_TRY(stoa_cancel_check(fan->options.context.cancel, err));
            STOA_TRY(stoa_fan_run_next(&fan->runs[i], id, &batch, err));
            if (batch.release == NULL) {
                break;
            }
            STOA_TRY(write_batch(fan, id, &batch, err));
        }
    }
    fan->partitions[id].in_runs = false;
    return end_file(fan, &fan->partitions[id], err);
}

static stoa_status empty_runs(stoa_fan_out *fan, stoa_error *err) {
    for (int32_t i = 0; i < fan->run_count; i++) {
        STOA_TRY(stoa_fan_run_turn(&fan->runs[i], fan->options.file_systems, &fan->options.context,
                                   err));
    }
    for (int32_t i = 0; i < fan->partition_count; i++) {
        if (fan->partitions[i].in_runs) {
            STOA_TRY(write_from_runs(fan, i, err));
        }
    }
    release_runs(fan);
    return STOA_OK;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static stoa_status write_chunk(stoa_fan_out *fan, bool last, stoa_error *err) {
    struct chunk chunk = {0};
    struct takes takes;
    stoa_fan_run *run = NULL;
    stoa_status status = STOA_OK;
    if (fan->batch_count == 0) {
        return STOA_OK;
    }
    takes.fan = fan;
    takes.chunk = &chunk;
    takes.count = 0;
    STOA_CHECK(chunk_init(fan, &chunk, err));
    for (int32_t i = 0; i < fan->partition_count; i++) {
        STOA_CHECK(stoa_cancel_check(fan->options.context.cancel, err));
        STOA_CHECK(write_partition(&takes, i, last, &run, err));
    }
    status = write_takes(&takes, err);

done:
    chunk_release(fan, &chunk);
    if (status == STOA_OK && fan->run_count == RUNS_MAX) {
        status = empty_runs(fan, err);
    }
    return status;
}

static stoa_status gather(stoa_fan_out *fan, struct ArrowArray *batch, stoa_error *err) {
    if (fan->batch_count == fan->batch_capacity) {
        int64_t capacity = fan->batch_capacity == 0 ? 64 : fan->batch_capacity * 2;
        stoa_status status = stoa_pool_reallocate(
            fan->pool, (void **)&fan->batches, (size_t)fan->batch_capacity * sizeof *fan->batches,
            (size_t)capacity * sizeof *fan->batches, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(batch);
            return status;
        }
        fan->batch_capacity = capacity;
    }
    fan->batches[fan->batch_count++] = *batch;
    *batch = (struct ArrowArray){0};
    return STOA_OK;
}

stoa_status stoa_fan_out_write(stoa_fan_out *fan, struct ArrowArray *batch, stoa_error *err) {
    if (batch->length == 0) {
        stoa_arrow_array_release(batch);
        return STOA_OK;
    }
    size_t bytes = (size_t)stoa_arrow_memory_bytes(&fan->arrow, batch);
    if (fan->batch_count > 0 && fan->chunk_gathered + bytes > fan->chunk_bytes) {
        stoa_status status = write_chunk(fan, false, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(batch);
            return status;
        }
    }
    STOA_TRY(gather(fan, batch, err));
    fan->chunk_gathered += bytes;
    return STOA_OK;
}

stoa_status stoa_fan_out_finish(stoa_fan_out *fan, stoa_error *err) {
    STOA_TRY(write_chunk(fan, true, err));
    for (int32_t i = 0; i < fan->partition_count; i++) {
        STOA_TRY(end_file(fan, &fan->partitions[i], err));
    }
    return empty_runs(fan, err);
}
