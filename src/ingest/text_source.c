/* The blocks of a load's text files.
 *
 * A block travels as the private data of an Arrow array without rows: whoever releases the array
 * gives the block back to the source, which hands it out again, so that there are never more blocks
 * than the pipeline lets wait. The lock guards the list of blocks that are free. */
#include "ingest/text_source.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ingest/answer.h"
#include "ingest/columns.h"
#include "ingest/csv.h"
#include "ingest/json_check.h"
#include "ingest/jsonl.h"
#include "ingest/rejects.h"
#include "ingest/source.h"
#include "schema/schema.h"
#include "sql/sql.h"

enum { SAMPLE_LINES = 20480, SAMPLE_BYTES_MAX = 32 << 20 };

struct text_file {
    const stoa_ingest_input *input;
    stoa_csv_dialect dialect; /* of CSV */
    const stoa_schema *found;
    const char *options; /* of the engine's reader, from the source's arena */
};

struct parcel {
    stoa_text_source *source;
    struct parcel *next_free;
    struct parcel *next; /* of all there are */
    const struct text_file *file;
    stoa_text_block block;
};

struct stoa_text_source {
    pthread_mutex_t lock;
    struct parcel *free;
    stoa_database *database;
    const stoa_context *context;
    const stoa_schema *target;
    stoa_ingest_tuning tuning;
    bool rejects;
    bool json;
    stoa_arena arena;
    struct text_file *files;
    size_t file_count;
    const stoa_schema *schema;  /* of all files together */
    const stoa_schema *columns; /* of JSON, as they are read */
    stoa_session *session;      /* for what is asked before the pipeline runs */
    struct parcel *parcels;
    size_t next_file;
    stoa_text_reader reader;
    bool reading;
    stoa_ingest_fit *fit;
    atomic_uint_fast64_t bytes_done;
    atomic_int guess; /* stoa_text_guess */
};

bool stoa_text_source_offers(const stoa_ingest_input *input) {
    stoa_file_format format = input->kind.format;
    return format == STOA_FORMAT_CSV || format == STOA_FORMAT_TSV ||
           (format == STOA_FORMAT_JSONL && !input->whole);
}

/* ---- opening -------------------------------------------------------------------------------- */

static stoa_status open_reader(stoa_text_source *source, const struct text_file *file,
                               stoa_text_reader *out, stoa_error *err) {
    STOA_TRY(stoa_text_reader_open(stoa_database_file_systems(source->database), file->input,
                                   source->context, source->tuning.block_bytes, out, err));
    out->record_bytes_max = source->tuning.record_bytes_max;
    return STOA_OK;
}

/* The engine speaks of a file that nobody knows, and shows a query that nobody wrote. */
static void scrub(const struct text_file *file, const stoa_text_block *block, stoa_error *err) {
    char path[48];
    char rest[STOA_ERROR_MESSAGE_BYTES];
    if (err == NULL) {
        return;
    }
    err->message[strcspn(err->message, "\n")] = '\0';
    err->query_offset = -1;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d\"", block->descriptor);
    char *named = strstr(err->message, path);
    if (named != NULL) {
        (void)snprintf(rest, sizeof rest, "%s", named + strlen(path));
        (void)snprintf(named, sizeof err->message - (size_t)(named - err->message), "%s\"%s",
                       file->input->name, rest);
    }
}

static stoa_status fail_deep(int64_t line, stoa_error *err) {
    stoa_fail(err, STOA_LIMIT, "line %lld: expected values nested at most %d levels deep",
              (long long)line, STOA_JSON_DEPTH_MAX);
    if (err != NULL) {
        err->line = line;
    }
    return STOA_LIMIT;
}

/* Before the engine sees it. */
static stoa_status check_depth(const stoa_text_block *sample, stoa_error *err) {
    static const stoa_schema anything;
    stoa_json_place place;
    return stoa_json_check((const char *)sample->bytes, sample->size, &anything, &place) ==
                   STOA_JSON_DEEP
               ? fail_deep(place.line, err)
               : STOA_OK;
}

/* Which line of JSON it was. */
static void explain_json(stoa_session *session, const char *options, const struct text_file *file,
                         const stoa_text_block *block, const stoa_context *context,
                         stoa_error *err) {
    stoa_error found = STOA_ERROR_NONE;
    if (err == NULL ||
        stoa_jsonl_first_bad_line(session, options, block, context, &found) != STOA_INVALID) {
        return;
    }
    *err = found;
    stoa_wrap(err, "reading '%s': line %lld", file->input->name, (long long)found.line);
    stoa_error_set_file(err, file->input->name, -1);
}

static stoa_status look_at(stoa_text_source *source, struct text_file *file,
                           stoa_text_block *sample, stoa_error *err) {
    stoa_text_reader reader;
    STOA_TRY(open_reader(source, file, &reader, err));
    stoa_status status = stoa_text_reader_peek(&reader, SAMPLE_LINES, SAMPLE_BYTES_MAX, sample,
                                               err);
    stoa_text_reader_release(&reader);
    STOA_TRY(status);
    if (source->json) {
        STOA_TRY(check_depth(sample, err));
        status = stoa_jsonl_find(source->session, sample, source->context, &file->found, err);
        if (status == STOA_INVALID) {
            explain_json(source->session, "", file, sample, source->context, err);
        }
        return status;
    }
    STOA_TRY(stoa_csv_dialect_find(source->session, file->input, sample, source->target,
                                   source->context, &file->dialect, err));
    file->found = stoa_schema_retain(file->dialect.found);
    return STOA_OK;
}

static stoa_status look_at_all(stoa_text_source *source, stoa_error *err) {
    stoa_text_block sample = {.pool = source->context->pool};
    stoa_status status = STOA_OK;
    for (size_t i = 0; i < source->file_count && status == STOA_OK; i++) {
        status = look_at(source, &source->files[i], &sample, err);
        if (status != STOA_OK && err != NULL && err->file[0] == '\0') {
            scrub(&source->files[i], &sample, err);
            stoa_wrap(err, "reading '%s'", source->files[i].input->name);
            stoa_error_set_file(err, source->files[i].input->name, -1);
        }
    }
    stoa_text_block_release(&sample);
    return status;
}

/* "SELECT CAST(NULL AS BIGINT) AS "a", …": rows of a file's columns, without a file. */
static stoa_status print_columns(const stoa_schema *schema, stoa_buffer *sql, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(sql, "SELECT ", err));
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        const stoa_field *field = &schema->root.children[i];
        STOA_TRY(stoa_buffer_append_text(sql, i == 0 ? "CAST(NULL AS " : ", CAST(NULL AS ", err));
        STOA_TRY(stoa_type_to_duckdb(&field->type, sql, err));
        STOA_TRY(stoa_buffer_append_text(sql, ") AS ", err));
        STOA_TRY(stoa_sql_identifier_print(field->name, sql, err));
    }
    return STOA_OK;
}

static bool same_columns(const stoa_schema *left, const stoa_schema *right) {
    return stoa_type_equal(&left->root, &right->root, false);
}

/* The columns of all files by name, each in a type that holds what the files have there. */
static stoa_status unite(stoa_text_source *source, stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    const stoa_schema *last = source->files[0].found;
    bool differ = false;
    stoa_buffer_init(&sql, source->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(print_columns(last, &sql, err));
    for (size_t i = 1; i < source->file_count; i++) {
        const stoa_schema *found = source->files[i].found;
        if (!same_columns(last, found)) {
            STOA_CHECK(stoa_buffer_append_text(&sql, " UNION ALL BY NAME ", err));
            STOA_CHECK(print_columns(found, &sql, err));
            differ = true;
            last = found;
        }
    }
    if (!differ) {
        source->schema = stoa_schema_retain(last);
        goto done;
    }
    STOA_CHECK(stoa_buffer_append_text(&sql, " LIMIT 0", err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_ingest_describe(source->session, text, source->context, &source->schema, err));

done:
    stoa_buffer_release(&sql);
    return status;
}

/* The file's columns in the types that all files have together. */
static stoa_status print_csv_options(stoa_text_source *source, const struct text_file *file,
                                     stoa_buffer *sql, stoa_error *err) {
    stoa_arena arena;
    void *memory = NULL;
    const stoa_schema *united = NULL;
    const stoa_schema *found = file->found;
    stoa_pool *pool = source->context->pool;
    stoa_arena_init(&arena, pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&arena, (size_t)found->root.child_count,
                                         sizeof(stoa_field), &memory, err));
    stoa_field *fields = memory;
    for (int32_t i = 0; i < found->root.child_count; i++) {
        const stoa_field *field = stoa_schema_column(source->schema, found->root.children[i].name);
        fields[i] = found->root.children[i];
        fields[i].type = field == NULL ? fields[i].type : field->type;
    }
    STOA_CHECK(stoa_schema_create(pool, fields, found->root.child_count, false, &united, err));
    STOA_CHECK(stoa_csv_options_print(&file->dialect, united, source->target, pool, sql, err));

done:
    stoa_schema_close(united);
    stoa_arena_release(&arena);
    return status;
}

/* What the JSON reader is told is also what its texts are held to. */
static stoa_status print_json_options(stoa_text_source *source, stoa_buffer *sql, stoa_error *err) {
    const char *text = NULL;
    stoa_text_block empty = {.pool = source->context->pool};
    stoa_buffer query;
    stoa_buffer_init(&query, source->context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_jsonl_options_print(source->schema, source->target, source->context->pool, sql, err));
    if (source->columns == NULL) {
        STOA_CHECK(stoa_text_block_reserve(&empty, 1, err));
        STOA_CHECK(stoa_text_block_seal(&empty, err));
        STOA_CHECK(stoa_buffer_text(sql, &text, err));
        STOA_CHECK(stoa_jsonl_query_print(text, &empty, &query, err));
        STOA_CHECK(stoa_buffer_text(&query, &text, err));
        STOA_CHECK(
            stoa_ingest_describe(source->session, text, source->context, &source->columns, err));
    }

done:
    stoa_text_block_release(&empty);
    stoa_buffer_release(&query);
    return status;
}

static stoa_status print_options(stoa_text_source *source, struct text_file *file,
                                 stoa_error *err) {
    stoa_buffer sql;
    stoa_buffer_init(&sql, source->context->pool);
    stoa_status status = source->json ? print_json_options(source, &sql, err)
                                      : print_csv_options(source, file, &sql, err);
    if (status == STOA_OK) {
        status = stoa_arena_copy_text(&source->arena, (const char *)sql.data, sql.size,
                                      &file->options, err);
    }
    stoa_buffer_release(&sql);
    return status;
}

stoa_status stoa_text_source_open(stoa_database *database, const stoa_ingest_input *inputs,
                                  size_t count, const stoa_schema *target, bool rejects,
                                  const stoa_ingest_tuning *tuning, const stoa_context *context,
                                  stoa_text_source **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (rejects && inputs[0].kind.format == STOA_FORMAT_JSONL) {
        return stoa_ingest_fail_json_rejects(err);
    }
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(stoa_text_source), &memory, err));
    stoa_text_source *source = memory;
    pthread_mutex_init(&source->lock, NULL);
    stoa_arena_init(&source->arena, context->pool);
    source->database = database;
    source->context = context;
    source->target = target;
    source->rejects = rejects;
    source->json = inputs[0].kind.format == STOA_FORMAT_JSONL;
    source->tuning = *tuning;
    if (source->tuning.block_bytes == 0) {
        source->tuning.block_bytes = STOA_TEXT_BLOCK_BYTES;
    }
    if (source->tuning.record_bytes_max == 0) {
        source->tuning.record_bytes_max = STOA_TEXT_RECORD_BYTES_MAX;
    }
    stoa_status status = STOA_OK;
    STOA_CHECK(
        stoa_arena_allocate_array(&source->arena, count, sizeof *source->files, &memory, err));
    source->files = memory;
    source->file_count = count;
    for (size_t i = 0; i < count; i++) {
        source->files[i].input = &inputs[i];
    }
    STOA_CHECK(stoa_sql_session_open_single(database, &source->session, err));
    STOA_CHECK(look_at_all(source, err));
    STOA_CHECK(unite(source, err));
    for (size_t i = 0; i < count; i++) {
        STOA_CHECK(print_options(source, &source->files[i], err));
    }
    *out = source;

done:
    if (status != STOA_OK) {
        stoa_text_source_close(source);
    }
    return status;
}

void stoa_text_source_close(stoa_text_source *source) {
    if (source == NULL) {
        return;
    }
    stoa_pool *pool = source->context->pool;
    if (source->reading) {
        stoa_text_reader_release(&source->reader);
    }
    for (struct parcel *parcel = source->parcels; parcel != NULL;) {
        struct parcel *next = parcel->next;
        stoa_text_block_release(&parcel->block);
        stoa_pool_free(pool, parcel, sizeof *parcel);
        parcel = next;
    }
    for (size_t i = 0; i < source->file_count; i++) {
        stoa_csv_dialect_release(&source->files[i].dialect);
        stoa_schema_close(source->files[i].found);
    }
    stoa_session_close(source->session);
    stoa_schema_close(source->schema);
    stoa_schema_close(source->columns);
    stoa_arena_release(&source->arena);
    pthread_mutex_destroy(&source->lock);
    stoa_pool_free(pool, source, sizeof *source);
}

const stoa_schema *stoa_text_source_schema(const stoa_text_source *source) {
    return source->json ? source->columns : source->schema;
}

uint64_t stoa_text_source_bytes_done(const stoa_text_source *source) {
    return atomic_load_explicit(&source->bytes_done, memory_order_relaxed);
}

stoa_text_guess stoa_text_source_guess(const stoa_text_source *source) {
    return (stoa_text_guess)atomic_load_explicit(&source->guess, memory_order_relaxed);
}

/* ---- blocks --------------------------------------------------------------------------------- */

static void give_back(struct ArrowArray *array) {
    struct parcel *parcel = array->private_data;
    stoa_text_source *source = parcel->source;
    pthread_mutex_lock(&source->lock);
    parcel->next_free = source->free;
    source->free = parcel;
    pthread_mutex_unlock(&source->lock);
    array->release = NULL;
}

static stoa_status take_parcel(stoa_text_source *source, struct parcel **out, stoa_error *err) {
    void *memory = NULL;
    pthread_mutex_lock(&source->lock);
    *out = source->free;
    if (*out != NULL) {
        source->free = (*out)->next_free;
    }
    pthread_mutex_unlock(&source->lock);
    if (*out != NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_pool_allocate_array(source->context->pool, 1, sizeof **out, &memory, err));
    *out = memory;
    (*out)->source = source;
    (*out)->block.pool = source->context->pool;
    (*out)->next = source->parcels;
    source->parcels = *out;
    return STOA_OK;
}

static stoa_status next_file(stoa_text_source *source, stoa_error *err) {
    const struct text_file *file = &source->files[source->next_file++];
    STOA_TRY(open_reader(source, file, &source->reader, err));
    source->reading = true;
    if (!source->json) {
        source->reader.cut = stoa_csv_dialect_cut(&file->dialect);
        source->reader.head_lines = file->dialect.skip;
    }
    return STOA_OK;
}

static void name_file(const struct text_file *file, stoa_error *err) {
    if (err != NULL && err->file[0] == '\0' && err->status != STOA_CANCELLED) {
        stoa_wrap(err, "reading '%s'", file->input->name);
        stoa_error_set_file(err, file->input->name, -1);
    }
}

/* Fills the parcel with the next block; one without bytes at the end of all files. */
static stoa_status fill_parcel(stoa_text_source *source, struct parcel *parcel, stoa_error *err) {
    parcel->block.size = 0;
    while (parcel->block.size == 0) {
        if (!source->reading) {
            if (source->next_file == source->file_count) {
                return STOA_OK;
            }
            STOA_TRY(next_file(source, err));
        }
        parcel->file = &source->files[source->next_file - 1];
        stoa_status status = stoa_text_reader_next(&source->reader, &parcel->block, err);
        if (status != STOA_OK) {
            name_file(parcel->file, err);
            return status;
        }
        if (parcel->block.size == 0) {
            stoa_text_reader_release(&source->reader);
            source->reading = false;
        }
    }
    return STOA_OK;
}

static stoa_status next_block(void *state, void *local, stoa_morsel *out, bool *out_more,
                              stoa_error *err) {
    stoa_text_source *source = state;
    struct parcel *parcel = NULL;
    (void)local;
    STOA_TRY(take_parcel(source, &parcel, err));
    out->batch = (struct ArrowArray){.release = give_back, .private_data = parcel};
    stoa_status status = fill_parcel(source, parcel, err);
    *out_more = status == STOA_OK && parcel->block.size > 0;
    out->bytes = parcel->block.size;
    if (!*out_more) {
        give_back(&out->batch);
    }
    return status;
}

stoa_pipeline_source stoa_text_source_blocks(stoa_text_source *source) {
    return (stoa_pipeline_source){.state = source, .serial = true, .next = next_block};
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* One lane's: its connection to the engine, and what it writes in. */
struct parser {
    stoa_text_source *source;
    stoa_context context;
    stoa_session *session;
    stoa_buffer sql;
    stoa_buffer rejected;
};

static void close_parser(void *state, void *local) {
    struct parser *parser = local;
    (void)state;
    stoa_session_close(parser->session);
    stoa_buffer_release(&parser->sql);
    stoa_buffer_release(&parser->rejected);
    stoa_pool_free(parser->context.pool, parser, sizeof *parser);
}

static stoa_status open_parser(void *state, const stoa_context *context, void **out_local,
                               stoa_error *err) {
    stoa_text_source *source = state;
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(struct parser), &memory, err));
    struct parser *parser = memory;
    parser->source = source;
    parser->context = *context;
    parser->context.progress = NULL;
    stoa_buffer_init(&parser->sql, context->pool);
    stoa_buffer_init(&parser->rejected, context->pool);
    stoa_status status = stoa_sql_session_open_single(source->database, &parser->session, err);
    if (status != STOA_OK) {
        close_parser(state, parser);
        return status;
    }
    *out_local = parser;
    return STOA_OK;
}

/* What parsing one block needs at every step. */
struct parse {
    struct parser *parser;
    const struct parcel *parcel;
    const stoa_morsel *morsel;
    const stoa_pipeline_stage *next;
    int64_t rows_before;
};

static stoa_status print_query(struct parse *parse, bool rejects, const char **out,
                               stoa_error *err) {
    stoa_buffer *sql = &parse->parser->sql;
    const struct text_file *file = parse->parcel->file;
    stoa_buffer_clear(sql);
    STOA_TRY(parse->parser->source->json
                 ? stoa_jsonl_query_print(file->options, &parse->parcel->block, sql, err)
                 : stoa_csv_query_print(&file->dialect, file->options, &parse->parcel->block,
                                        rejects, sql, err));
    return stoa_buffer_text(sql, out, err);
}

/* `*out_reading` tells failures of the reader from those of validation. */
static stoa_status pass_rows(struct parse *parse, struct ArrowArrayStream *stream,
                             bool *out_reading, stoa_error *err) {
    struct parser *parser = parse->parser;
    struct ArrowSchema schema = {0};
    stoa_status status = STOA_OK;
    *out_reading = true;
    STOA_CHECK(stoa_stream_schema(stream, &schema, err));
    for (;;) {
        struct ArrowArray batch = {0};
        *out_reading = true;
        STOA_CHECK(stoa_stream_next(stream, &batch, err));
        if (batch.release == NULL) {
            break;
        }
        *out_reading = false;
        STOA_CHECK(stoa_ingest_fit_batch(parser->source->fit, parse->parcel->file->input->name,
                                         &schema, &batch, parse->morsel, parse->next,
                                         &parse->rows_before, &parser->rejected, err));
    }

done:
    stoa_arrow_schema_release(&schema);
    return status;
}

static stoa_status keep_reject(void *user, const stoa_csv_reject *reject, stoa_error *err) {
    struct parse *parse = user;
    return stoa_ingest_reject_print_text(parse->parcel->file->input->name, reject->line,
                                         reject->column, reject->message, reject->text,
                                         &parse->parser->rejected, err);
}

struct explanation {
    const struct text_file *file;
    stoa_error *err;
    bool found;
};

static stoa_status explain_first(void *user, const stoa_csv_reject *reject, stoa_error *err) {
    struct explanation *explanation = user;
    (void)err;
    if (!explanation->found) {
        const char *name = explanation->file->input->name;
        explanation->found = true;
        stoa_fail(explanation->err, STOA_INVALID, "reading '%s': line %lld, column '%s': %s", name,
                  (long long)reject->line, reject->column, reject->message);
        explanation->err->line = reject->line;
        stoa_error_set_column(explanation->err, -1, reject->column);
        stoa_error_set_file(explanation->err, name, -1);
    }
    return STOA_OK;
}

/* The block is read a second time with its bad rows set aside: only there the engine tells line and
 * column as data and not as a sentence. */
static void explain_csv(struct parse *parse, stoa_error *err) {
    struct parser *parser = parse->parser;
    struct explanation explanation = {.file = parse->parcel->file, .err = err};
    const char *text = NULL;
    if (err == NULL || print_query(parse, true, &text, NULL) != STOA_OK) {
        return;
    }
    if (stoa_ingest_run(parser->session, text, &parser->context, NULL) == STOA_OK) {
        STOA_IGNORE(stoa_csv_each_reject(parser->session, &parse->parcel->block, &parser->context,
                                         explain_first, &explanation, NULL));
    }
}

/* What the reader would do in silence, or not survive. */
static stoa_status check_json(struct parse *parse, stoa_error *err) {
    stoa_text_source *source = parse->parser->source;
    const stoa_text_block *block = &parse->parcel->block;
    stoa_json_place place;
    stoa_json_fault fault = stoa_json_check((const char *)block->bytes, block->size,
                                            source->columns, &place);
    if (fault == STOA_JSON_FINE) {
        return STOA_OK;
    }
    int64_t line = block->first_line + place.line - 1;
    if (fault == STOA_JSON_DEEP) {
        return fail_deep(line, err);
    }
    atomic_store_explicit(&source->guess, STOA_GUESS_LACKS, memory_order_relaxed);
    int name_size = place.name_size > 100 ? 100 : (int)place.name_size;
    int value_size = place.value_size > 40 ? 40 : (int)place.value_size;
    if (fault == STOA_JSON_MEMBER) {
        stoa_fail(err, STOA_INVALID, "line %lld: '%.*s' is no column or field of the table",
                  (long long)line, name_size, place.name);
    } else {
        stoa_fail(
            err, STOA_INVALID,
            "line %lld, column '%.*s': expected a whole number but found %.*s (--schema gives "
            "the columns and their types)",
            (long long)line, name_size, place.name, value_size, place.value);
    }
    if (err != NULL) {
        err->line = line;
    }
    return STOA_INVALID;
}

static stoa_status parse_block(struct parse *parse, stoa_error *err) {
    struct parser *parser = parse->parser;
    struct ArrowArrayStream stream = {0};
    const char *text = NULL;
    bool reading = true;
    bool rejects = parser->source->rejects;
    bool checked = false;
    stoa_status status = STOA_OK;
    if (parser->source->json) {
        STOA_CHECK(check_json(parse, err));
    }
    checked = true;
    STOA_CHECK(print_query(parse, rejects, &text, err));
    STOA_CHECK(stoa_session_run(parser->session, text, &parser->context, &stream, NULL, err));
    STOA_CHECK(pass_rows(parse, &stream, &reading, err));
    stoa_arrow_stream_release(&stream);
    if (rejects) {
        STOA_CHECK(stoa_csv_each_reject(parser->session, &parse->parcel->block, &parser->context,
                                        keep_reject, parse, err));
        STOA_CHECK(stoa_ingest_fit_pass_rejects(parser->context.pool, &parser->rejected,
                                                parse->morsel, parse->next, err));
    }

done:
    stoa_arrow_stream_release(&stream);
    if (status == STOA_INVALID && reading && checked) {
        if (parser->source->json) {
            atomic_store_explicit(&parser->source->guess, STOA_GUESS_FAILS, memory_order_relaxed);
            explain_json(parser->session, parse->parcel->file->options, parse->parcel->file,
                         &parse->parcel->block, &parser->context, err);
        } else {
            explain_csv(parse, err);
        }
    }
    if (status != STOA_OK && reading) {
        scrub(parse->parcel->file, &parse->parcel->block, err);
    }
    if (status != STOA_OK) {
        name_file(parse->parcel->file, err);
    }
    return status;
}

static stoa_status push_block(void *state, void *local, stoa_morsel *morsel,
                              const stoa_pipeline_stage *next, stoa_error *err) {
    stoa_text_source *source = state;
    const struct parcel *parcel = morsel->batch.private_data;
    struct parse parse = {.parser = local, .parcel = parcel, .morsel = morsel, .next = next};
    stoa_status status = parse_block(&parse, err);
    (void)atomic_fetch_add_explicit(&source->bytes_done, parcel->block.size, memory_order_relaxed);
    return status;
}

stoa_pipeline_operator stoa_text_source_parser(stoa_text_source *source, stoa_ingest_fit *fit) {
    source->fit = fit;
    return (stoa_pipeline_operator){.state = source,
                                    .open_local = open_parser,
                                    .push = push_block,
                                    .close_local = close_parser};
}
