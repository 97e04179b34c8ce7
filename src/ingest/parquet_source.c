/* What all Parquet files of a run have in common is known before their first row is read, from their
 * footers; then they are a source of a pipeline by row groups. Remote files are read by ranges. */
#include "ingest/parquet_source.h"

#include "base/error.h"
#include "schema/unify.h"
#include "vfs/vfs.h"

static stoa_status open_input(void *user, int32_t file, const stoa_context *context,
                              stoa_file **out, stoa_error *err) {
    const stoa_parquet_source *source = user;
    return stoa_vfs_open(stoa_database_file_systems(source->database), source->inputs[file].path,
                         STOA_OPEN_READ, context, out, err);
}

/* The user's name, where the file is a copy. */
static void explain(void *user, int32_t file, stoa_error *err) {
    const stoa_ingest_input *input = &((const stoa_parquet_source *)user)->inputs[file];
    if (input->temporary) {
        stoa_wrap(err, "loading '%s'", input->name);
        stoa_error_set_file(err, input->name, err->offset);
    }
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Iceberg's and Spark's instants are microseconds; nanoseconds reach the year 2262 only. */
static bool wants_microseconds(const stoa_type *type) {
    bool found = false;
    for (int32_t i = 0; i < type->child_count; i++) {
        const stoa_type *child = &type->children[i].type;
        if (child->kind == STOA_TYPE_TIMESTAMP || child->kind == STOA_TYPE_TIMESTAMP_TZ) {
            if (child->unit == STOA_TYPE_NANOSECONDS) {
                return false;
            }
            found = true;
        } else if (child->child_count > 0) {
            found = found || wants_microseconds(child);
        }
    }
    return found;
}

static stoa_status unite(stoa_parquet_source *source, const stoa_schema *schema, stoa_error *err) {
    const stoa_schema *united = NULL;
    bool same_ids = false;
    if (source->schema == NULL) {
        source->schema = stoa_schema_retain(schema);
        return STOA_OK;
    }
    STOA_TRY(stoa_schema_unify(source->context.pool, source->schema, schema,
                               source->matches_ids ? STOA_MATCH_BY_ID : STOA_MATCH_BY_NAME, &united,
                               &same_ids, err));
    stoa_schema_close(source->schema);
    source->schema = united;
    source->matches_ids = source->matches_ids && same_ids;
    return STOA_OK;
}

/* Calls `visit` with the reader of every file. */
typedef stoa_status (*visit_reader)(stoa_parquet_source *source, const stoa_parquet_reader *reader,
                                    stoa_error *err);

static stoa_status each_reader(stoa_parquet_source *source, visit_reader visit, stoa_error *err) {
    for (size_t i = 0; i < source->count; i++) {
        stoa_file *file = NULL;
        stoa_parquet_reader *reader = NULL;
        STOA_TRY(stoa_cancel_check(source->context.cancel, err));
        stoa_status status = open_input(source, (int32_t)i, &source->context, &file, err);
        if (status == STOA_OK) {
            status = stoa_parquet_reader_open(&source->context, file, &source->opening, &reader,
                                              err);
        }
        if (status == STOA_OK) {
            status = visit(source, reader, err);
            if (status != STOA_OK) {
                stoa_wrap(err, "reading '%s'", source->inputs[i].name);
                stoa_error_set_file(err, source->inputs[i].name, -1);
            }
        } else if (err != NULL) {
            explain(source, (int32_t)i, err);
        }
        stoa_parquet_reader_close(reader);
        stoa_file_close(file);
        STOA_TRY(status);
    }
    return STOA_OK;
}

static stoa_status find_ids(stoa_parquet_source *source, const stoa_parquet_reader *reader,
                            stoa_error *err) {
    (void)err;
    source->matches_ids = source->matches_ids && stoa_parquet_reader_has_field_ids(reader);
    return STOA_OK;
}

static stoa_status add_file(stoa_parquet_source *source, const stoa_parquet_reader *reader,
                            stoa_error *err) {
    const int32_t groups = stoa_parquet_reader_group_count(reader);
    for (int32_t i = 0; i < groups; i++) {
        source->row_count += stoa_parquet_reader_group_rows(reader, i);
    }
    return unite(source, stoa_parquet_reader_schema(reader), err);
}

/* ---- names of folders ------------------------------------------------------------------------ */

static stoa_status folder_constants(void *user, int32_t file, const stoa_parquet_constant **out,
                                    int32_t *out_count, stoa_error *err) {
    const stoa_parquet_source *source = user;
    (void)err;
    *out_count = source->folders.count;
    *out = source->constants + (size_t)file * (size_t)source->folders.count;
    return STOA_OK;
}

static stoa_status set_constants(stoa_parquet_source *source, const int32_t *ids,
                                 stoa_error *err) {
    const size_t columns = (size_t)source->folders.count;
    const size_t count = source->count * columns;
    STOA_TRY(stoa_arena_allocate_array(&source->folders.arena, count, sizeof *source->constants,
                                       (void **)&source->constants, err));
    for (size_t i = 0; i < count; i++) {
        source->constants[i] = (stoa_parquet_constant){ids[i % columns],
                                                       source->folders.values[i]};
    }
    return STOA_OK;
}

static stoa_status add_folders(stoa_parquet_source *source, const stoa_schema *target,
                               stoa_error *err) {
    stoa_pool *pool = source->context.pool;
    const char **names = NULL;
    const stoa_schema *all = NULL;
    const int32_t *ids = NULL;
    const size_t bytes = source->count * sizeof *names;
    STOA_TRY(stoa_pool_allocate(pool, bytes, (void **)&names, err));
    for (size_t i = 0; i < source->count; i++) {
        names[i] = source->inputs[i].name;
    }
    stoa_status status = stoa_hive_find(pool, names, source->count,
                                        target != NULL ? target : source->schema,
                                        &source->folders, err);
    stoa_pool_free(pool, names, bytes);
    if (status != STOA_OK || source->folders.count == 0) {
        return status;
    }
    STOA_TRY(stoa_hive_add_columns(&source->folders, pool, source->schema, &all, &ids, err));
    stoa_schema_close(source->schema);
    source->schema = all;
    return set_constants(source, ids, err);
}

static stoa_status read_keys(stoa_parquet_source *source, const char *path, stoa_error *err) {
    stoa_file *file = NULL;
    STOA_TRY(stoa_vfs_open(stoa_database_file_systems(source->database), path, STOA_OPEN_READ,
                           &source->context, &file, err));
    const stoa_status status = stoa_parquet_key_file_read(source->context.pool, file,
                                                          &source->key_file, err);
    stoa_file_close(file);
    source->opening.keys = &source->key_file.keys;
    return status;
}

stoa_status stoa_parquet_source_open(stoa_database *database, const stoa_ingest_input *inputs,
                                     size_t count, const stoa_parquet_source_opening *opening,
                                     const stoa_context *context, stoa_parquet_source *out,
                                     stoa_error *err) {
    const stoa_schema *target = opening->target;
    *out = (stoa_parquet_source){.database = database,
                                 .inputs = inputs,
                                 .context = *context,
                                 .matches_ids = true,
                                 .count = count};
    if (count > INT32_MAX) {
        return stoa_fail(err, STOA_LIMIT, "%zu files are more than one load takes", count);
    }
    out->opening.int96_unit = opening->int96_unit;
    if (opening->int96_unit == STOA_TYPE_SECONDS && target != NULL &&
        wants_microseconds(&target->root)) {
        out->opening.int96_unit = STOA_TYPE_MICROSECONDS;
    }
    if (opening->keys != NULL) {
        STOA_TRY(read_keys(out, opening->keys, err));
    }
    if (count > 1) {
        STOA_TRY(each_reader(out, find_ids, err));
    }
    STOA_TRY(each_reader(out, add_file, err));
    return opening->folders ? add_folders(out, target, err) : STOA_OK;
}

stoa_status stoa_parquet_source_begin(stoa_parquet_source *source,
                                      const stoa_parquet_source_options *wanted,
                                      const stoa_context *context, stoa_error *err) {
    const stoa_parquet_files_options options = {
        .schema = source->schema,
        .columns = wanted->columns,
        .column_count = wanted->column_count,
        .predicate = wanted->predicate,
        .match = source->matches_ids || source->count == 1 ? STOA_MATCH_BY_ID : STOA_MATCH_BY_NAME,
        .validates = wanted->validates,
        .opening = source->opening,
        .batch_rows = wanted->batch_rows,
        .file_count = (int32_t)source->count,
        .user = source,
        .constants = folder_constants,
        .open = open_input,
        .explain = explain,
    };
    return stoa_parquet_files_create(context, &options, &source->files, err);
}

void stoa_parquet_source_release(stoa_parquet_source *source) {
    stoa_parquet_files_close(source->files);
    stoa_hive_release(&source->folders);
    stoa_schema_close(source->schema);
    stoa_parquet_key_file_release(&source->key_file);
    *source = (stoa_parquet_source){0};
}
