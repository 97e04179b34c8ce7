/* A ring of jobs, one a row group. The caller puts groups in at the head and takes them out at the
 * tail, so the file's order is the order of the calls whatever task was faster. A group's chunks are
 * tasks of their own: two threads are busy with one group in memory.
 *
 * A chunk is encoded with working memory that tasks hand on to each other; there is as much of it as
 * tasks that ever ran at once. One lock guards the list of what is free. */
#include "parquet/encoding.h"

#include <pthread.h>
#include <stdatomic.h>

#include "sched/sched.h"

struct encoder {
    struct encoder *next; /* of all that are free */
    stoa_column_encoder column;
};

struct job;

struct chunk_task {
    struct job *job;
    int32_t leaf;
};

struct job {
    stoa_encoding *encoding;
    stoa_row_group group;
    stoa_group tasks;
    struct chunk_task *chunks; /* one a leaf */
    atomic_int chunks_left;
};

struct stoa_encoding {
    pthread_mutex_t lock;
    struct encoder *free;

    stoa_context context;
    const stoa_parquet_options *options;
    const stoa_leaf *leaves;
    int32_t leaf_count;
    struct job *jobs;
    struct chunk_task *chunks; /* of all jobs */
    size_t head;               /* where the next group goes */
    size_t used;
    size_t size;
};

/* ---- working memory --------------------------------------------------------------------------- */

static stoa_status take_encoder(stoa_encoding *encoding, struct encoder **out, stoa_error *err) {
    pthread_mutex_lock(&encoding->lock);
    struct encoder *encoder = encoding->free;
    if (encoder != NULL) {
        encoding->free = encoder->next;
    }
    pthread_mutex_unlock(&encoding->lock);
    if (encoder == NULL) {
        stoa_pool *pool = encoding->context.pool;
        void *memory;
        STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof *encoder, &memory, err));
        encoder = memory;
        stoa_status status = stoa_column_encoder_init(&encoder->column, &encoding->context,
                                                      encoding->options, err);
        if (status != STOA_OK) {
            stoa_column_encoder_release(&encoder->column);
            stoa_pool_free(pool, encoder, sizeof *encoder);
            return status;
        }
    }
    *out = encoder;
    return STOA_OK;
}

static void give_encoder(stoa_encoding *encoding, struct encoder *encoder) {
    pthread_mutex_lock(&encoding->lock);
    encoder->next = encoding->free;
    encoding->free = encoder;
    pthread_mutex_unlock(&encoding->lock);
}

static void free_encoders(stoa_encoding *encoding) {
    while (encoding->free != NULL) {
        struct encoder *encoder = encoding->free;
        encoding->free = encoder->next;
        stoa_column_encoder_release(&encoder->column);
        stoa_pool_free(encoding->context.pool, encoder, sizeof *encoder);
    }
}

/* ---- tasks ------------------------------------------------------------------------------------ */

static stoa_status encode_chunk(void *user, stoa_error *err) {
    const struct chunk_task *task = user;
    struct job *job = task->job;
    stoa_encoding *encoding = job->encoding;
    struct encoder *encoder = NULL;
    STOA_TRY(take_encoder(encoding, &encoder, err));
    stoa_status status = stoa_row_group_encode(&job->group, task->leaf, &encoder->column,
                                               &encoding->leaves[task->leaf], err);
    give_encoder(encoding, encoder);
    /* Acquire and release: whoever is last lets go of batches that all others have read. */
    if (status == STOA_OK &&
        atomic_fetch_sub_explicit(&job->chunks_left, 1, memory_order_acq_rel) == 1) {
        stoa_row_group_drop_rows(&job->group);
    }
    return status;
}

/* ---- the ring --------------------------------------------------------------------------------- */

/* Two tasks a thread, and never more groups than threads. */
static size_t choose_size(const stoa_context *context, const stoa_parquet_options *options,
                          int32_t leaf_count) {
    if (options->row_groups_in_flight > 0) {
        return (size_t)options->row_groups_in_flight;
    }
    const int32_t threads = context->sched == NULL ? 1 : stoa_sched_threads(context->sched);
    const int32_t groups = 1 + (2 * threads + leaf_count - 1) / (leaf_count > 0 ? leaf_count : 1);
    return threads == 1 ? 1 : (size_t)(groups < threads + 1 ? groups : threads + 1);
}

static stoa_status allocate(stoa_encoding *encoding, stoa_error *err) {
    stoa_pool *pool = encoding->context.pool;
    const size_t leaf_count = (size_t)encoding->leaf_count;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, encoding->size, sizeof *encoding->jobs, &memory, err));
    encoding->jobs = memory;
    STOA_TRY(stoa_pool_allocate_array(pool, encoding->size * leaf_count, sizeof *encoding->chunks,
                                      &memory, err));
    encoding->chunks = memory;
    for (size_t i = 0; i < encoding->size; i++) {
        struct job *job = &encoding->jobs[i];
        job->encoding = encoding;
        job->chunks = &encoding->chunks[i * leaf_count];
        for (int32_t leaf = 0; leaf < encoding->leaf_count; leaf++) {
            job->chunks[leaf] = (struct chunk_task){job, leaf};
        }
    }
    return STOA_OK;
}

stoa_status stoa_encoding_create(const stoa_context *context, const stoa_parquet_options *options,
                                 const stoa_leaf *leaves, int32_t leaf_count, stoa_encoding **out,
                                 stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof(stoa_encoding), &memory, err));
    stoa_encoding *encoding = memory;
    encoding->context = *context;
    encoding->options = options;
    encoding->leaves = leaves;
    encoding->leaf_count = leaf_count;
    encoding->size = choose_size(context, options, leaf_count);
    pthread_mutex_init(&encoding->lock, NULL);
    struct encoder *first = NULL;
    stoa_status status = allocate(encoding, err);
    if (status == STOA_OK) { /* one is always needed, and its options are wrong now or never */
        status = take_encoder(encoding, &first, err);
    }
    if (first != NULL) {
        give_encoder(encoding, first);
    }
    if (status != STOA_OK) {
        stoa_encoding_close(encoding);
        return status;
    }
    *out = encoding;
    return STOA_OK;
}

bool stoa_encoding_is_full(const stoa_encoding *encoding) {
    return encoding->used == encoding->size;
}

bool stoa_encoding_is_empty(const stoa_encoding *encoding) {
    return encoding->used == 0;
}

stoa_status stoa_encoding_put(stoa_encoding *encoding, stoa_row_group *group, stoa_error *err) {
    STOA_ASSERT(encoding->used < encoding->size);
    struct job *job = &encoding->jobs[encoding->head];
    STOA_TRY(stoa_group_init(&job->tasks, encoding->context.sched, STOA_FOREGROUND,
                             encoding->context.cancel, err));
    job->group = *group;
    *group = (stoa_row_group){0};
    atomic_store_explicit(&job->chunks_left, encoding->leaf_count, memory_order_relaxed);
    encoding->head = (encoding->head + 1) % encoding->size;
    encoding->used++;
    for (int32_t leaf = 0; leaf < encoding->leaf_count; leaf++) {
        stoa_group_spawn(&job->tasks, encode_chunk, &job->chunks[leaf]);
    }
    return STOA_OK;
}

stoa_status stoa_encoding_take(stoa_encoding *encoding, stoa_row_group *out, stoa_error *err) {
    STOA_ASSERT(encoding->used > 0);
    const size_t tail = (encoding->head + encoding->size - encoding->used) % encoding->size;
    struct job *job = &encoding->jobs[tail];
    encoding->used--;
    stoa_status status = stoa_group_wait(&job->tasks, err);
    *out = job->group;
    job->group = (stoa_row_group){0};
    if (status != STOA_OK) {
        stoa_row_group_release(out);
    }
    return status;
}

void stoa_encoding_close(stoa_encoding *encoding) {
    if (encoding == NULL) {
        return;
    }
    stoa_pool *pool = encoding->context.pool;
    while (encoding->used > 0) {
        const size_t tail = (encoding->head + encoding->size - encoding->used) % encoding->size;
        stoa_row_group group = {0};
        stoa_cancel_trigger(stoa_group_cancel(&encoding->jobs[tail].tasks));
        /* Nobody wants the group; what went wrong in it does not matter. */
        if (stoa_encoding_take(encoding, &group, NULL) == STOA_OK) {
            stoa_row_group_release(&group);
        }
    }
    free_encoders(encoding);
    stoa_pool_free(pool, encoding->jobs, encoding->size * sizeof *encoding->jobs);
    stoa_pool_free(pool, encoding->chunks,
                   encoding->size * (size_t)encoding->leaf_count * sizeof *encoding->chunks);
    pthread_mutex_destroy(&encoding->lock);
    stoa_pool_free(pool, encoding, sizeof *encoding);
}
