/* Lanes take the parts of a file in turn, and then those of the next file. Whoever finds the file at
 * hand used up opens the next one, while the others wait: there is nothing for them to read before its
 * footer is. A file is closed by the last lane that reads of it. */
#include "parquet/files.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "arrow/array.h"
#include "parquet/scan.h"
#include "schema/pick.h"
#include "schema/schema.h"
#include "sched/sched.h"

enum { LANE_BYTES = 64 << 20, POOL_SHARE = 4, WINDOW_MORSELS = 256 };

struct open_file {
    atomic_int references;
    stoa_pool *pool;
    int32_t number;
    int64_t first_part;
    const stoa_parquet_constant *constants; /* of columns that are not the file's, borrowed */
    int32_t constant_count;
    stoa_file *file;
    stoa_parquet_reader *reader;
    stoa_parquet_align align;
    stoa_parquet_scan *scan;
    stoa_arena arena; /* of the predicate */
    bool picks;       /* rows and columns are picked out of what is read */
};

/* Where the parts of a file begin. The file may be closed again. */
struct place {
    int64_t first_part;
    const struct open_file *file;
};

struct stoa_parquet_files {
    pthread_mutex_t lock; /* guards what follows up to `context` */
    int32_t next_file;
    int64_t next_part;
    struct open_file *current; /* NULL: none */
    bool failed;               /* to open a file */
    stoa_buffer places;        /* a struct place for every file that was opened */
    stoa_context context;
    stoa_parquet_files_options options;
    stoa_arena arena;
    const stoa_schema *schema;     /* of the batches */
    const stoa_schema *picked;     /* the same with what the predicate looks at */
    const int32_t *picked_columns; /* `schema` out of `picked`; NULL: all of it */
    struct ArrowSchema arrow;      /* of the batches, to weigh them */
};

struct files_local {
    stoa_parquet_files *files;
    const stoa_context *context;
    struct open_file *file; /* that `lane` reads of; NULL: none */
    stoa_pipeline_source source;
    void *lane;
};

/* ---- predicates ------------------------------------------------------------------------------ */

/* Constants take the place of what the file holds under their names. */
static bool is_constant(const struct open_file *file, int32_t field_id) {
    for (int32_t i = 0; i < file->constant_count; i++) {
        if (file->constants[i].field_id == field_id) {
            return true;
        }
    }
    return false;
}

/* Whether the file's columns that a predicate looks at are those of the rows, as they lie there. */
static bool is_of_file(const stoa_predicate *predicate, const stoa_parquet_files *files,
                       const struct open_file *file, stoa_field_match match) {
    for (int32_t i = 0; i < predicate->child_count; i++) {
        if (!is_of_file(predicate->children[i], files, file, match)) {
            return false;
        }
    }
    if (predicate->kind < STOA_PREDICATE_EQUAL) {
        return true;
    }
    const int32_t id = predicate->field_id;
    const stoa_field *wanted = stoa_schema_field(files->options.schema, id);
    const stoa_field *found = stoa_schema_field(stoa_parquet_reader_schema(file->reader), id);
    if (is_constant(file, id) || wanted == NULL || found == NULL ||
        !stoa_type_equal(&wanted->type, &found->type, false)) {
        return false;
    }
    /* By name, ids may agree by chance; at the top names tell. */
    return match == STOA_MATCH_BY_ID ||
           (strcmp(wanted->name, found->name) == 0 &&
            stoa_schema_column(files->options.schema, wanted->name) == wanted &&
            stoa_schema_column(stoa_parquet_reader_schema(file->reader), found->name) == found);
}

/* The part of the predicate that the reader can be given: all of it, or some of the terms of an AND;
 * NULL: nothing. */
static stoa_status push_predicate(const stoa_parquet_files *files, struct open_file *file,
                                  stoa_field_match match, const stoa_predicate **out,
                                  stoa_error *err) {
    const stoa_predicate *predicate = files->options.predicate;
    void *memory = NULL;
    *out = NULL;
    if (predicate == NULL) {
        return STOA_OK;
    }
    if (is_of_file(predicate, files, file, match)) {
        *out = predicate;
        return STOA_OK;
    }
    if (predicate->kind != STOA_PREDICATE_AND) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(&file->arena, (size_t)predicate->child_count,
                                       sizeof predicate, &memory, err));
    const stoa_predicate **terms = memory;
    int32_t count = 0;
    for (int32_t i = 0; i < predicate->child_count; i++) {
        if (is_of_file(predicate->children[i], files, file, match)) {
            terms[count++] = predicate->children[i];
        }
    }
    if (count == 0) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(&file->arena, 1, sizeof *predicate, &memory, err));
    stoa_predicate *part = memory;
    *part = (stoa_predicate){
        .kind = STOA_PREDICATE_AND, .children = terms, .child_count = count};
    *out = part;
    return STOA_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static void release_file(struct open_file *file) {
    if (file == NULL ||
        atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_parquet_scan_close(file->scan);
    stoa_parquet_align_release(&file->align);
    stoa_parquet_reader_close(file->reader);
    stoa_file_close(file->file);
    stoa_arena_release(&file->arena);
    stoa_pool_free(file->pool, file, sizeof *file);
}

static stoa_status prepare_scan(const stoa_parquet_files *files, struct open_file *file,
                                stoa_error *err) {
    const stoa_parquet_files_options *options = &files->options;
    const stoa_predicate *pushed = NULL;
    const stoa_field_match match = options->match == STOA_MATCH_BY_ID
                                       ? stoa_parquet_align_match(file->reader)
                                       : STOA_MATCH_BY_NAME;
    if (options->constants != NULL) {
        STOA_TRY(options->constants(options->user, file->number, &file->constants,
                                    &file->constant_count, err));
    }
    STOA_TRY(push_predicate(files, file, match, &pushed, err));
    file->picks = options->predicate != pushed || files->picked_columns != NULL;
    if (options->predicate == pushed && pushed != NULL) {
        file->picks = false; /* what only the predicate looks at need not be made */
    }
    STOA_TRY(stoa_parquet_align_init(files->context.pool, file->reader,
                                     file->picks ? files->picked : files->schema,
                                     file->constants, file->constant_count, match,
                                     options->validates, &file->align, err));
    const stoa_parquet_read_options reading = {.field_ids = file->align.field_ids,
                                               .field_count = file->align.field_count,
                                               .predicate = pushed,
                                               .batch_rows = options->batch_rows};
    return stoa_parquet_scan_open(file->reader, &reading, &file->scan, err);
}

static stoa_status read_footer(const stoa_parquet_files *files, struct open_file *file,
                               stoa_error *err) {
    const stoa_parquet_files_options *options = &files->options;
    STOA_TRY(options->open(options->user, file->number, &files->context, &file->file, err));
    STOA_TRY(stoa_parquet_reader_open(&files->context, file->file, &options->opening, &file->reader,
                                      err));
    const stoa_status status = prepare_scan(files, file, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", stoa_file_uri(file->file));
        stoa_error_set_file(err, stoa_file_uri(file->file), -1);
    }
    return status;
}

static void explain(const stoa_parquet_files *files, int32_t file, stoa_error *err) {
    if (files->options.explain != NULL && err != NULL) {
        files->options.explain(files->options.user, file, err);
    }
}

/* Holds the lock. */
static stoa_status open_next(stoa_parquet_files *files, stoa_error *err) {
    struct open_file *file;
    struct place place;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(files->context.pool, 1, sizeof *file, &memory, err));
    file = memory;
    atomic_init(&file->references, 1);
    file->pool = files->context.pool;
    file->number = files->next_file++;
    file->first_part = files->next_part;
    stoa_arena_init(&file->arena, file->pool);
    stoa_status status = read_footer(files, file, err);
    if (status != STOA_OK) {
        explain(files, file->number, err);
    }
    if (status == STOA_OK) {
        place = (struct place){file->first_part, file};
        status = stoa_buffer_append(&files->places, &place, sizeof place, err);
    }
    if (status != STOA_OK) {
        release_file(file);
        return status;
    }
    files->next_part += stoa_parquet_scan_part_count(file->scan);
    files->current = file;
    return STOA_OK;
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static void leave_file(struct files_local *local) {
    if (local->file != NULL && local->lane != NULL) {
        local->source.close_local(local->source.state, local->lane);
    }
    local->lane = NULL;
    release_file(local->file);
    local->file = NULL;
}

/* The file at hand, or, where that is the one that this lane found used up, the next; `local->file` is
 * NULL when there is none. */
static stoa_status find_file(struct files_local *local, const struct open_file *used_up,
                             int64_t *out_part, stoa_error *err) {
    stoa_parquet_files *files = local->files;
    stoa_status status = STOA_OK;
    (void)pthread_mutex_lock(&files->lock);
    if (files->current != NULL && files->current == used_up) {
        files->current = NULL;
        release_file((struct open_file *)(uintptr_t)used_up); /* the lane has a reference, too */
    }
    if (files->current == NULL && !files->failed &&
        files->next_file < files->options.file_count) {
        status = open_next(files, err);
        files->failed = status != STOA_OK;
        *out_part = status != STOA_OK ? files->next_part++ : *out_part;
    }
    struct open_file *found = files->current;
    if (found != NULL) {
        /* relaxed: the lock orders it with whoever else holds a reference */
        atomic_fetch_add_explicit(&found->references, 1, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&files->lock);
    leave_file(local);
    local->file = found;
    if (found != NULL) {
        local->source = stoa_parquet_scan_source(found->scan);
        STOA_TRY(local->source.open_local(local->source.state, local->context, &local->lane, err));
    }
    return status;
}

/* A batch of the file is made one of the rows that are wanted. */
static stoa_status make_rows(const struct files_local *local, stoa_morsel *out, stoa_error *err) {
    const struct open_file *file = local->file;
    const stoa_parquet_files *files = local->files;
    stoa_pool *pool = files->context.pool;
    stoa_status status = STOA_OK;
    if (out->batch.release == NULL) {
        return STOA_OK;
    }
    STOA_CHECK(stoa_parquet_align_batch(&file->align, pool, &out->batch, err));
    if (file->picks) {
        STOA_CHECK(stoa_batch_pick(pool, files->picked, files->options.predicate,
                                   files->picked_columns, files->options.column_count, &out->batch,
                                   err));
    }
    out->bytes = (uint64_t)stoa_arrow_memory_bytes(&files->arrow, &out->batch);

done:
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", stoa_file_uri(file->file));
    }
    return status;
}

/* Parts of a file count from 0 in its scan. */
static stoa_status read_of_file(struct files_local *local, stoa_morsel *out, bool *out_more,
                                stoa_error *err) {
    const int64_t first = local->file->first_part;
    out->part = out->part < 0 ? -1 : out->part - first;
    stoa_status status = local->source.next(local->source.state, local->lane, out, out_more, err);
    out->part = out->part < 0 ? -1 : out->part + first;
    if (status == STOA_OK && *out_more) {
        status = make_rows(local, out, err);
    }
    if (status != STOA_OK) {
        explain(local->files, local->file->number, err);
    }
    return status;
}

static stoa_status files_next(void *state, void *user, stoa_morsel *out, bool *out_more,
                              stoa_error *err) {
    struct files_local *local = user;
    (void)state;
    for (;;) {
        if (local->file != NULL) {
            *out_more = true;
            STOA_TRY(read_of_file(local, out, out_more, err));
            if (*out_more) {
                return STOA_OK;
            }
        }
        STOA_TRY(find_file(local, local->file, &out->part, err));
        if (local->file == NULL) {
            *out_more = false;
            return STOA_OK;
        }
    }
}

static stoa_status files_open_local(void *state, const stoa_context *context, void **out_local,
                                    stoa_error *err) {
    struct files_local *local;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof *local, &memory, err));
    local = memory;
    local->files = state;
    local->context = context;
    *out_local = local;
    return STOA_OK;
}

static void files_close_local(void *state, void *user) {
    struct files_local *local = user;
    stoa_pool *pool = local->context->pool;
    (void)state;
    leave_file(local);
    stoa_pool_free(pool, local, sizeof *local);
}

/* ---- all of them ----------------------------------------------------------------------------- */

static stoa_status prepare(stoa_parquet_files *files, stoa_error *err) {
    const stoa_parquet_files_options *options = &files->options;
    stoa_pool *pool = files->context.pool;
    STOA_TRY(stoa_pick_schema(pool, &files->arena, options->schema, options->predicate,
                              options->columns, options->column_count, &files->picked,
                              &files->picked_columns, err));
    if (options->columns == NULL) {
        files->schema = stoa_schema_retain(options->schema);
    } else {
        STOA_TRY(stoa_schema_project(pool, options->schema, options->columns, options->column_count,
                                     &files->schema, err));
    }
    return stoa_schema_to_arrow(pool, files->schema, &files->arrow, err);
}

stoa_status stoa_parquet_files_create(const stoa_context *context,
                                      const stoa_parquet_files_options *options,
                                      stoa_parquet_files **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof **out, &memory, err));
    stoa_parquet_files *files = memory;
    (void)pthread_mutex_init(&files->lock, NULL);
    files->context = *context;
    files->context.progress = NULL;
    files->options = *options;
    files->options.schema = stoa_schema_retain(options->schema);
    stoa_buffer_init(&files->places, context->pool);
    stoa_arena_init(&files->arena, context->pool);
    const stoa_status status = prepare(files, err);
    if (status != STOA_OK) {
        stoa_parquet_files_close(files);
        return status;
    }
    *out = files;
    return STOA_OK;
}

void stoa_parquet_files_close(stoa_parquet_files *files) {
    if (files == NULL) {
        return;
    }
    stoa_pool *pool = files->context.pool;
    release_file(files->current);
    stoa_arrow_schema_release(&files->arrow);
    stoa_schema_close(files->schema);
    stoa_schema_close(files->picked);
    stoa_schema_close(files->options.schema);
    stoa_buffer_release(&files->places);
    stoa_arena_release(&files->arena);
    (void)pthread_mutex_destroy(&files->lock);
    stoa_pool_free(pool, files, sizeof *files);
}

void stoa_parquet_files_place(stoa_parquet_files *files, int64_t part, int32_t *out_file,
                              int64_t *out_row) {
    (void)pthread_mutex_lock(&files->lock);
    const struct place *places = (const struct place *)(const void *)files->places.data;
    size_t low = 0, high = files->places.size / sizeof *places; /* the last that begins at or before */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (places[middle].first_part <= part) {
            low = middle;
        } else {
            high = middle;
        }
    }
    const struct open_file *file = places[low].file;
    *out_file = file->number;
    *out_row = stoa_parquet_scan_part_row(file->scan, part - file->first_part);
    (void)pthread_mutex_unlock(&files->lock);
}

stoa_pipeline_source stoa_parquet_files_source(stoa_parquet_files *files) {
    return (stoa_pipeline_source){.state = files,
                                  .open_local = files_open_local,
                                  .next = files_next,
                                  .close_local = files_close_local};
}

void stoa_parquet_files_window(const stoa_parquet_files *files, stoa_pipeline_options *options) {
    const int64_t lanes = files->context.sched == NULL ? 1
                                                       : stoa_sched_threads(files->context.sched);
    const size_t limit = stoa_pool_limit(files->context.pool) / POOL_SHARE;
    const size_t bytes = (size_t)lanes * LANE_BYTES;
    options->window_bytes = limit > 0 && limit < bytes ? limit : bytes;
    options->window_morsels = WINDOW_MORSELS;
}
