/* The blocks of a load's text files.
 *
 * A block travels as the private data of an Arrow array without rows: whoever releases the array
 * gives the block back to the source, which hands it out again, so that there are never more blocks
 * than the pipeline lets wait. The lock guards the list of blocks that are free. */
#include "ingest/text_internal.h"

#include <string.h>

#include "base/error.h"
#include "ingest/source.h"
#include "sql/sql.h"

bool stoa_text_source_offers(const stoa_ingest_input *input) {
    stoa_file_format format = input->kind.format;
    return format == STOA_FORMAT_CSV || format == STOA_FORMAT_TSV ||
           (format == STOA_FORMAT_JSONL && !input->whole);
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
    STOA_CHECK(stoa_text_look_at_all(source, err));
    STOA_CHECK(stoa_text_unite(source, err));
    for (size_t i = 0; i < count; i++) {
        STOA_CHECK(stoa_text_print_options(source, &source->files[i], err));
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
        stoa_text_file_release(&source->files[i]);
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
    STOA_TRY(stoa_text_open_reader(source, file, &source->reader, err));
    source->reading = true;
    if (!source->json) {
        source->reader.cut = stoa_csv_dialect_cut(&file->dialect);
        source->reader.head_lines = file->dialect.skip;
    }
    return STOA_OK;
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
            stoa_text_name_file(parcel->file, err);
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
