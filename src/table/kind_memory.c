/* Tables in memory: parts of at most 122,880 rows, each one contiguous batch of its own.
 *
 * Rows are always copied once, on the way in: a part then holds exactly its bytes, charged to the
 * database's pool, and nothing of whoever made the batch (a mapped file, a large parent of a small
 * slice) stays behind. The same rows make the same parts, however they were split into writes.
 *
 * Many small appends must not make many small parts, and must not copy everything each time: on
 * commit the new rows swallow the parts at the end that are not larger than they are, as in a binary
 * counter, so that a row is copied about log2 times until its part is full. While somebody else has
 * a plan open, this waits until SMALL_PARTS have gathered: that plan may be the base of a rewrite, and
 * a part that was merged away would be a conflict. */
#include <string.h>

#include "arrow/array.h"
#include "schema/schema.h"
#include "table/internal.h"

enum { PART_ROWS = 122880, SMALL_PARTS = 64 };

struct memory_writer {
    stoa_database *database;
    stoa_pool *pool;
    struct ArrowSchema arrow;
    struct ArrowArray *waiting;
    int64_t waiting_count;
    int64_t waiting_capacity;
    int64_t waiting_rows;
    stoa_part_vector parts;
};

static void memory_writer_close(void *state) {
    struct memory_writer *writer = state;
    for (int64_t i = 0; i < writer->waiting_count; i++) {
        stoa_arrow_array_release(&writer->waiting[i]);
    }
    stoa_pool_free(writer->pool, writer->waiting,
                   (size_t)writer->waiting_capacity * sizeof *writer->waiting);
    stoa_part_vector_release(&writer->parts);
    stoa_arrow_schema_release(&writer->arrow);
    stoa_pool_free(writer->database->pool, writer, sizeof *writer);
}

static stoa_status memory_writer_open(const stoa_sink *sink, void **out, stoa_error *err) {
    struct memory_writer *writer = NULL;
    *out = NULL;
    STOA_TRY(
        stoa_pool_allocate_array(sink->database->pool, 1, sizeof *writer, (void **)&writer, err));
    writer->database = sink->database;
    writer->pool = sink->context.pool;
    writer->parts.pool = sink->database->pool;
    stoa_status status = stoa_schema_to_arrow(sink->database->pool, sink->schema, &writer->arrow,
                                              err);
    if (status != STOA_OK) {
        memory_writer_close(writer);
        return status;
    }
    *out = writer;
    return STOA_OK;
}

/* One part of all rows of `arrays`. */
static stoa_status make_part(stoa_database *database, const struct ArrowSchema *arrow,
                             const struct ArrowArray *const *arrays, int64_t count,
                             stoa_part_vector *out, stoa_error *err) {
    stoa_part *part = NULL;
    STOA_TRY(stoa_part_create(database, database->memory_pool, &part, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arrow_concat(database->memory_pool, arrow, arrays, count, &part->batch, err));
    part->row_count = part->batch.length;
    part->byte_count = (uint64_t)stoa_arrow_memory_bytes(arrow, &part->batch);
    STOA_CHECK(stoa_part_vector_push(out, part, err));
    return STOA_OK;

done:
    stoa_part_release(part);
    return status;
}

static stoa_status flush(struct memory_writer *writer, stoa_error *err) {
    if (writer->waiting_rows == 0) {
        return STOA_OK;
    }
    const struct ArrowArray **arrays = NULL;
    size_t bytes = (size_t)writer->waiting_count * sizeof *arrays;
    STOA_TRY(stoa_pool_allocate(writer->pool, bytes, (void **)&arrays, err));
    for (int64_t i = 0; i < writer->waiting_count; i++) {
        arrays[i] = &writer->waiting[i];
    }
    stoa_status status = make_part(writer->database, &writer->arrow, arrays, writer->waiting_count,
                                   &writer->parts, err);
    stoa_pool_free(writer->pool, arrays, bytes);
    for (int64_t i = 0; i < writer->waiting_count; i++) {
        stoa_arrow_array_release(&writer->waiting[i]);
    }
    writer->waiting_count = 0;
    writer->waiting_rows = 0;
    return status;
}

/* Takes `batch`, also on error. */
static stoa_status hold(struct memory_writer *writer, struct ArrowArray *batch, stoa_error *err) {
    if (writer->waiting_count == writer->waiting_capacity) {
        int64_t capacity = writer->waiting_capacity == 0 ? 16 : writer->waiting_capacity * 2;
        stoa_status status = stoa_pool_reallocate(writer->pool, (void **)&writer->waiting,
                                                  (size_t)writer->waiting_capacity *
                                                      sizeof *writer->waiting,
                                                  (size_t)capacity * sizeof *writer->waiting, err);
        if (status != STOA_OK) {
            stoa_arrow_array_release(batch);
            return status;
        }
        writer->waiting_capacity = capacity;
    }
    writer->waiting_rows += batch->length;
    writer->waiting[writer->waiting_count++] = *batch;
    batch->release = NULL;
    return STOA_OK;
}

static stoa_status hold_rows(struct memory_writer *writer, struct ArrowArray *batch, int64_t offset,
                             int64_t count, stoa_error *err) {
    struct ArrowArray rows = {0};
    STOA_TRY(stoa_arrow_slice(writer->pool, batch, offset, count, &rows, err));
    return hold(writer, &rows, err);
}

static stoa_status memory_writer_write(void *state, struct ArrowArray *batch, stoa_error *err) {
    struct memory_writer *writer = state;
    stoa_status status = STOA_OK;
    if (batch->length > 0 && batch->length <= PART_ROWS - writer->waiting_rows) {
        STOA_TRY(hold(writer, batch, err));
        return writer->waiting_rows == PART_ROWS ? flush(writer, err) : STOA_OK;
    }
    for (int64_t offset = 0; offset < batch->length;) {
        int64_t room = PART_ROWS - writer->waiting_rows;
        int64_t count = batch->length - offset < room ? batch->length - offset : room;
        STOA_CHECK(hold_rows(writer, batch, offset, count, err));
        if (writer->waiting_rows == PART_ROWS) {
            STOA_CHECK(flush(writer, err));
        }
        offset += count;
    }

done:
    stoa_arrow_array_release(batch);
    return status;
}

static stoa_status memory_writer_finish(void *state, stoa_part_vector *out, stoa_error *err) {
    struct memory_writer *writer = state;
    STOA_TRY(flush(writer, err));
    return stoa_part_vector_append(out, &writer->parts, err);
}

/* How many parts at the end of `parts` are to be one part with the first of `added`. */
static int64_t swallowed(const stoa_part_vector *parts, const stoa_part_vector *added) {
    int64_t rows = added->items[0]->row_count;
    int64_t count = 0;
    while (count < parts->count) {
        int64_t last = parts->items[parts->count - 1 - count]->row_count;
        if (last > rows || last + rows > PART_ROWS) {
            break;
        }
        rows += last;
        count++;
    }
    return count;
}

static stoa_status merge(stoa_database *database, const stoa_schema *schema,
                         stoa_part_vector *parts, int64_t count, const stoa_part *last,
                         stoa_part_vector *out, stoa_error *err) {
    struct ArrowSchema arrow = {0};
    const struct ArrowArray **arrays = NULL;
    size_t bytes = ((size_t)count + 1) * sizeof *arrays;
    STOA_TRY(stoa_schema_to_arrow(database->pool, schema, &arrow, err));
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_pool_allocate(database->pool, bytes, (void **)&arrays, err));
    for (int64_t i = 0; i < count; i++) {
        arrays[i] = &parts->items[parts->count - count + i]->batch;
    }
    arrays[count] = &last->batch;
    STOA_CHECK(make_part(database, &arrow, arrays, count + 1, out, err));

done:
    stoa_pool_free(database->pool, arrays, bytes);
    stoa_arrow_schema_release(&arrow);
    return status;
}

static stoa_status memory_combine(stoa_database *database, const stoa_schema *schema,
                                  stoa_part_vector *parts, const stoa_part_vector *added,
                                  stoa_error *err) {
    int64_t count = added->count == 0 ? 0 : swallowed(parts, added);
    if (count == 0 || (count < SMALL_PARTS && stoa_database_has_other_pins(database))) {
        return stoa_part_vector_append(parts, added, err);
    }
    stoa_part_vector merged = {.pool = database->pool};
    stoa_status status = STOA_OK;
    STOA_CHECK(merge(database, schema, parts, count, added->items[0], &merged, err));
    for (int64_t i = 1; i < added->count; i++) {
        STOA_CHECK(stoa_part_vector_push(&merged, added->items[i], err));
        (void)stoa_part_retain(added->items[i]);
    }
    STOA_CHECK(stoa_part_vector_reserve(parts, merged.count, err));
    for (int64_t i = 0; i < count; i++) {
        stoa_part_release(parts->items[--parts->count]);
    }
    STOA_CHECK(stoa_part_vector_append(parts, &merged, err));

done:
    stoa_part_vector_release(&merged);
    return status;
}

const stoa_table_kind stoa_table_kind_memory = {
    .name = "memory",
    .capabilities = STOA_CAN_SCAN | STOA_CAN_APPEND | STOA_CAN_OVERWRITE | STOA_CAN_DELETE |
                    STOA_CAN_UPDATE | STOA_CAN_SNAPSHOTS,
    .durable = false,
    .writer_open = memory_writer_open,
    .writer_write = memory_writer_write,
    .writer_finish = memory_writer_finish,
    .writer_close = memory_writer_close,
    .combine = memory_combine,
};
