/* Opening a file: its footer, and its schema as Stoa's. What is read of it is read_plan's, by whom
 * scan's. */
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "parquet/reader_internal.h"

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

/* Here because one call at a time may ask for a map; lanes read it from several threads. */
static void map_file(stoa_parquet_reader *reader) {
    const void *map = NULL;
    if (stoa_file_map(reader->file, &map, &reader->map_bytes, NULL) == STOA_OK) {
        reader->map = map;
    }
}

static stoa_status open_reader(stoa_parquet_reader *reader,
                               const stoa_parquet_open_options *options, stoa_error *err) {
    const stoa_type_unit int96_unit = options->int96_unit;
    static const int64_t ticks[] = {1000000000, 1000, 1000000, 1000000000};
    if (int96_unit < STOA_TYPE_SECONDS || int96_unit > STOA_TYPE_NANOSECONDS) {
        return stoa_fail(err, STOA_INVALID, "%d is no unit of time", (int)int96_unit);
    }
    reader->arrays.int96_ticks_per_second = ticks[int96_unit];
    STOA_TRY(stoa_parquet_footer_read(&reader->context, reader->file, options->keys,
                                      &reader->footer, err));
    STOA_TRY(count_rows(reader, err));
    map_file(reader);
    return stoa_read_schema_create(&reader->context, &reader->arena, &reader->footer,
                                   int96_unit == STOA_TYPE_SECONDS ? STOA_TYPE_NANOSECONDS
                                                                   : int96_unit,
                                   &reader->root, &reader->schema, &reader->has_field_ids, err);
}

stoa_status stoa_parquet_reader_open(const stoa_context *context, stoa_file *file,
                                     const stoa_parquet_open_options *options,
                                     stoa_parquet_reader **out, stoa_error *err) {
    static const stoa_parquet_open_options defaults = STOA_PARQUET_OPEN_DEFAULT;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(context->pool, sizeof(stoa_parquet_reader), &memory, err));
    stoa_parquet_reader *reader = memory;
    *reader = (stoa_parquet_reader){.context = *context, .file = file};
    stoa_arena_init(&reader->arena, context->pool);
    const stoa_status status = open_reader(reader, options == NULL ? &defaults : options, err);
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

/* Early versions of Arrow numbered columns by their place, so that the same number stood for another
 * column in the next file. */
static bool numbers_by_place(const char *created_by) {
    static const char arrow[] = "parquet-cpp-arrow version ";
    if (created_by == NULL || strncmp(created_by, "parquet-cpp", 11) != 0) {
        return false;
    }
    return strncmp(created_by, arrow, sizeof arrow - 1) != 0 ||
           strtol(created_by + sizeof arrow - 1, NULL, 10) < 7;
}

bool stoa_parquet_reader_has_field_ids(const stoa_parquet_reader *reader) {
    return reader->has_field_ids && !numbers_by_place(reader->footer.created_by);
}

int32_t stoa_parquet_reader_group_count(const stoa_parquet_reader *reader) {
    return reader->footer.group_count;
}

int64_t stoa_parquet_reader_group_rows(const stoa_parquet_reader *reader, int32_t group) {
    return reader->footer.groups[group].row_count;
}
