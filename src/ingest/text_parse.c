/* Rows out of blocks, in the tasks of the pipeline. A block of CSV is tried without the engine first;
 * what is not plain there, and all JSON, is the engine's to read, by way of the block's file. */
#include "ingest/text_internal.h"

#include "base/error.h"
#include "ingest/answer.h"
#include "ingest/csv_rows.h"
#include "ingest/json_check.h"
#include "ingest/jsonl.h"
#include "ingest/rejects.h"
#include "sql/sql.h"

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
    struct parcel *parcel;
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
        return stoa_text_fail_deep(line, err);
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

static stoa_status fail_fraction(const struct parse *parse, const stoa_csv_place *place,
                                 stoa_error *err) {
    const char *column = parse->parcel->file->columns->root.children[place->column].name;
    stoa_fail(err, STOA_INVALID,
              "line %lld, column '%s': expected a whole number but found %.*s (--schema gives the "
              "columns and their types)",
              (long long)place->line, column, place->value_size > 40 ? 40 : (int)place->value_size,
              (const char *)place->value);
    if (err != NULL) {
        err->line = place->line;
    }
    stoa_error_set_column(err, place->column, column);
    return STOA_INVALID;
}

/* `*out_done` false: the engine has to read the block. */
static stoa_status parse_plain(struct parse *parse, bool *out_done, stoa_error *err) {
    struct parser *parser = parse->parser;
    const struct text_file *file = parse->parcel->file;
    struct ArrowArray batch;
    stoa_csv_outcome outcome;
    stoa_csv_place place;
    STOA_TRY(stoa_csv_rows_read(&file->dialect, file->columns, &parse->parcel->block,
                                &parser->context, &batch, &outcome, &place, err));
    *out_done = outcome == STOA_CSV_ROWS;
    if (outcome == STOA_CSV_FRACTION) {
        return fail_fraction(parse, &place, err);
    }
    if (!*out_done) {
        return STOA_OK;
    }
    STOA_TRY(stoa_ingest_fit_batch(parser->source->fit, file->input->name, &file->arrow, &batch,
                                   parse->morsel, parse->next, &parse->rows_before,
                                   &parser->rejected, err));
    return stoa_ingest_fit_pass_rejects(parser->context.pool, &parser->rejected, parse->morsel,
                                        parse->next, err);
}

static stoa_status parse_by_engine(struct parse *parse, stoa_error *err) {
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
    STOA_CHECK(stoa_text_block_seal(&parse->parcel->block, err));
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
            stoa_text_explain_json(parser->session, parse->parcel->file->options,
                                   parse->parcel->file, &parse->parcel->block, &parser->context,
                                   err);
        } else {
            explain_csv(parse, err);
        }
    }
    if (status != STOA_OK && reading) {
        stoa_text_scrub(parse->parcel->file, &parse->parcel->block, err);
    }
    if (status != STOA_OK) {
        stoa_text_name_file(parse->parcel->file, err);
    }
    return status;
}

static stoa_status parse_block(struct parse *parse, stoa_error *err) {
    const struct text_file *file = parse->parcel->file;
    bool done = false;
    if (file->plain) {
        stoa_status status = parse_plain(parse, &done, err);
        if (status != STOA_OK) {
            stoa_text_name_file(file, err);
            return status;
        }
    }
    return done ? STOA_OK : parse_by_engine(parse, err);
}

static stoa_status push_block(void *state, void *local, stoa_morsel *morsel,
                              const stoa_pipeline_stage *next, stoa_error *err) {
    stoa_text_source *source = state;
    struct parcel *parcel = morsel->batch.private_data;
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
