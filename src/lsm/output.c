/* Sources wait in a ring. Tasks take them from its front, make their rows and encode them; whoever ends
 * and finds the oldest stripe ready writes it and those behind it that are ready, while the others go
 * on encoding. Whoever adds to a full ring takes part, so that nothing depends on a task being started. */
#include "lsm/output.h"

#include <pthread.h>

#include "lsm/output_files.h"

enum { SLOTS_MAX = 64 };

/* A source, and what became of it. */
struct slot {
    stoa_output_source source;
    stoa_output_rows rows;
    stoa_sst_stripe stripe;
    int64_t expires_ms;
    bool is_ready;
};

struct stoa_output {
    pthread_mutex_t lock; /* guards all up to `group` */
    pthread_cond_t changed;
    /* Of sources, counted from the first that was added: those below `written` are done, those up to
     * `taken` are encoded or being so, those up to `added` wait. */
    int64_t written, taken, added;
    bool is_writing;
    stoa_status status; /* of the first failure, with `error` */
    stoa_error error;
    stoa_stripe_encoder *encoders[SLOTS_MAX]; /* that nobody uses */
    int32_t encoder_count;

    stoa_group group;
    bool has_group; /* that is to be waited for */
    stoa_output_options options;
    stoa_output_files files; /* of who writes */
    bool is_finished;
    int32_t slot_count;
    struct slot slots[];
};

static size_t output_bytes(int32_t slot_count) {
    return sizeof(stoa_output) + (size_t)slot_count * sizeof(struct slot);
}

stoa_status stoa_output_create(const stoa_output_options *options, stoa_output **out,
                               stoa_error *err) {
    stoa_pool *pool = options->context.pool;
    const int32_t threads = stoa_sched_threads(options->context.sched);
    const int32_t slot_count = threads < SLOTS_MAX / 2 ? 2 * threads : SLOTS_MAX;
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate(pool, output_bytes(slot_count), &memory, err));
    memset(memory, 0, output_bytes(slot_count));
    stoa_output *output = memory;
    output->options = *options;
    if (options->rows == NULL) {
        output->options.rows = &options->definition->layout;
    }
    output->slot_count = slot_count;
    pthread_mutex_init(&output->lock, NULL);
    pthread_cond_init(&output->changed, NULL);
    stoa_output_files_init(&output->files, &output->options);
    for (int32_t i = 0; i < slot_count; i++) {
        struct slot *slot = &output->slots[i];
        stoa_keys_init(&slot->rows.keys, pool);
        stoa_buffer_init(&slot->rows.sequences, pool);
        stoa_buffer_init(&slot->rows.operations, pool);
        stoa_sst_stripe_init(&slot->stripe, pool);
    }
    const stoa_status status = stoa_group_init(&output->group, options->context.sched,
                                               options->priority, options->context.cancel, err);
    if (status != STOA_OK) {
        stoa_output_close(output);
        return status;
    }
    output->has_group = true;
    *out = output;
    return STOA_OK;
}

/* ---- One stripe ------------------------------------------------------------------------------ */

static void close_source(struct slot *slot) {
    if (slot->source.close != NULL) {
        slot->source.close(slot->source.user);
    }
    slot->source = (stoa_output_source){0};
}

/* Memory is kept for the next rows. */
static void clear_rows(stoa_output_rows *rows) {
    rows->keys.count = 0;
    stoa_buffer_clear(&rows->keys.numbers);
    stoa_buffer_clear(&rows->keys.bytes);
    stoa_buffer_clear(&rows->keys.offsets);
    stoa_buffer_clear(&rows->sequences);
    stoa_buffer_clear(&rows->operations);
    stoa_arrow_array_release(&rows->batch);
}

/* When all rows are gone; INT64_MAX: never. Of rows that are no puts, of times that are part of the key
 * and of rows of an older schema nothing is said. */
static int64_t expiry_of(const stoa_output_options *options, const stoa_output_rows *rows) {
    const stoa_definition *definition = options->definition;
    int64_t expires_ms = 1; /* 0 means something else in a file's info */
    if (options->rows != &definition->layout || definition->ttl_column < 0 ||
        definition->layout.column_nodes[definition->ttl_column] < 0) {
        return INT64_MAX;
    }
    for (int64_t i = 0; i < rows->keys.count && expires_ms < INT64_MAX; i++) {
        const int64_t expiry = rows->operations.data[i] == STOA_OPERATION_PUT
                                   ? stoa_definition_expiry_ms(definition, &rows->batch, i)
                                   : INT64_MAX;
        expires_ms = expiry > expires_ms ? expiry : expires_ms;
    }
    return expires_ms;
}

static stoa_status encode_slot(const stoa_output *output, struct slot *slot,
                               stoa_stripe_encoder *encoder, stoa_error *err) {
    stoa_output_rows *rows = &slot->rows;
    STOA_TRY(stoa_cancel_check(output->options.context.cancel, err));
    STOA_TRY(slot->source.fill(slot->source.user, rows, err));
    const stoa_keys_view keys = stoa_keys_view_of(&rows->keys);
    const stoa_stripe_rows stripe = {
        .keys = &keys,
        .sequences = (const uint64_t *)(const void *)rows->sequences.data,
        .operations = rows->operations.data,
        .batch = &rows->batch,
        .count = keys.count,
    };
    if (keys.count == 0) {
        return STOA_OK;
    }
    STOA_ASSERT(rows->sequences.size == (size_t)keys.count * sizeof(uint64_t) &&
                rows->operations.size == (size_t)keys.count);
    slot->expires_ms = expiry_of(&output->options, rows);
    return stoa_sst_stripe_encode(encoder, output->options.rows, &stripe, &slot->stripe, err);
}

static stoa_status write_slot(stoa_output *output, struct slot *slot, stoa_error *err) {
    const stoa_keys_view keys = stoa_keys_view_of(&slot->rows.keys);
    return keys.count == 0
               ? STOA_OK
               : stoa_output_files_add(&output->files, &slot->stripe, &keys, slot->expires_ms, err);
}

/* ---- The ring -------------------------------------------------------------------------------- */

static struct slot *slot_at(stoa_output *output, int64_t number) {
    return &output->slots[number % output->slot_count];
}

/* With the lock. */
static void note(stoa_output *output, stoa_status status, const stoa_error *err) {
    if (status != STOA_OK && output->status == STOA_OK) {
        output->status = status;
        output->error = *err;
    }
}

/* With the lock, which is given back meanwhile: writes what is ready, unless somebody does. */
static void write_ready(stoa_output *output) {
    if (output->is_writing) {
        return;
    }
    output->is_writing = true;
    while (output->status == STOA_OK && output->written < output->taken &&
           slot_at(output, output->written)->is_ready) {
        struct slot *slot = slot_at(output, output->written);
        stoa_error err = STOA_ERROR_NONE;
        pthread_mutex_unlock(&output->lock);
        const stoa_status status = write_slot(output, slot, &err);
        clear_rows(&slot->rows);
        pthread_mutex_lock(&output->lock);
        note(output, status, &err);
        slot->is_ready = false;
        output->written++;
        pthread_cond_broadcast(&output->changed);
    }
    output->is_writing = false;
}

static stoa_status take_encoder(stoa_output *output, stoa_stripe_encoder **out, stoa_error *err) {
    if (*out != NULL) {
        return STOA_OK;
    }
    return stoa_stripe_encoder_create(output->options.context.pool, output->options.rows,
                                      output->options.codec, out, err);
}

/* With the lock, which is given back meanwhile: encodes the oldest source that waits. */
static void run_oldest(stoa_output *output) {
    struct slot *slot = slot_at(output, output->taken++);
    stoa_error err = STOA_ERROR_NONE;
    stoa_stripe_encoder *encoder = output->encoder_count == 0
                                       ? NULL
                                       : output->encoders[--output->encoder_count];
    pthread_mutex_unlock(&output->lock);
    stoa_status status = take_encoder(output, &encoder, &err);
    if (status == STOA_OK) {
        status = encode_slot(output, slot, encoder, &err);
    }
    close_source(slot);
    pthread_mutex_lock(&output->lock);
    if (encoder != NULL) {
        output->encoders[output->encoder_count++] = encoder;
    }
    note(output, status, &err);
    slot->is_ready = true;
    pthread_cond_broadcast(&output->changed);
    write_ready(output);
}

static stoa_status run_task(void *user, stoa_error *err) {
    stoa_output *output = user;
    (void)err;
    pthread_mutex_lock(&output->lock);
    if (output->status == STOA_OK && output->taken < output->added) {
        run_oldest(output);
    }
    pthread_mutex_unlock(&output->lock);
    return STOA_OK;
}

/* With the lock: takes part until no more than `most` sources are under way. Those that others are at
 * work on come to an end without this thread. */
static void work_down(stoa_output *output, int64_t most) {
    while (output->status == STOA_OK && output->added - output->written > most) {
        if (output->taken < output->added) {
            run_oldest(output);
        } else {
            pthread_cond_wait(&output->changed, &output->lock);
        }
    }
}

static stoa_status failure_of(const stoa_output *output, stoa_error *err) {
    if (output->status != STOA_OK && err != NULL) {
        *err = output->error;
    }
    return output->status;
}

stoa_status stoa_output_add_range(stoa_output *output, const stoa_key_range *range,
                                  stoa_error *err) {
    STOA_ASSERT(output->added == 0);
    return stoa_range_set_add(&output->files.ranges, range, err);
}

stoa_status stoa_output_add(stoa_output *output, const stoa_output_source *source,
                            stoa_error *err) {
    pthread_mutex_lock(&output->lock);
    work_down(output, output->slot_count - 1);
    const stoa_status status = failure_of(output, err);
    if (status == STOA_OK) {
        slot_at(output, output->added++)->source = *source;
    }
    pthread_mutex_unlock(&output->lock);
    if (status != STOA_OK) {
        close_source(&(struct slot){.source = *source});
        return status;
    }
    stoa_group_spawn(&output->group, run_task, output);
    return STOA_OK;
}

stoa_status stoa_output_finish(stoa_output *output, stoa_table_file *const **out,
                               int64_t *out_count, stoa_error *err) {
    pthread_mutex_lock(&output->lock);
    work_down(output, 0);
    stoa_status status = failure_of(output, err);
    pthread_mutex_unlock(&output->lock);
    output->has_group = false;
    const stoa_status ended = stoa_group_wait(&output->group, status == STOA_OK ? err : NULL);
    STOA_TRY(status);
    STOA_TRY(ended);
    STOA_TRY(stoa_output_files_finish(&output->files, err));
    output->is_finished = true;
    *out = output->files.files;
    *out_count = output->files.count;
    return STOA_OK;
}

int64_t stoa_output_rate_wait_ns(const stoa_output *output) {
    return output->files.rate_wait_ns;
}

void stoa_output_close(stoa_output *output) {
    if (output == NULL) {
        return;
    }
    if (output->has_group) {
        pthread_mutex_lock(&output->lock);
        note(output, STOA_CANCELLED, &output->error);
        pthread_mutex_unlock(&output->lock);
        STOA_IGNORE(stoa_group_wait(&output->group, NULL)); /* nobody asks for its outcome */
    }
    for (int32_t i = 0; i < output->slot_count; i++) {
        struct slot *slot = &output->slots[i];
        close_source(slot);
        clear_rows(&slot->rows);
        stoa_keys_release(&slot->rows.keys);
        stoa_buffer_release(&slot->rows.sequences);
        stoa_buffer_release(&slot->rows.operations);
        stoa_sst_stripe_release(&slot->stripe);
    }
    for (int32_t i = 0; i < output->encoder_count; i++) {
        stoa_stripe_encoder_close(output->encoders[i]);
    }
    stoa_output_files_release(&output->files, output->is_finished);
    pthread_cond_destroy(&output->changed);
    pthread_mutex_destroy(&output->lock);
    stoa_pool_free(output->options.context.pool, output, output_bytes(output->slot_count));
}
