/* A ring of jobs, one a thread. The caller puts groups in at the head and takes them out at the tail,
 * so the file's order is the order of the calls whatever thread was faster.
 *
 *     EMPTY --put--> WAITING --a thread--> ENCODING --it--> DONE --take--> EMPTY
 *
 * There is one lock. It guards the states, `next` and `closing`; a job's group belongs to the caller
 * while EMPTY or DONE and to its thread while ENCODING, and is touched without the lock. */
#include "parquet/encode_queue.h"

#include <pthread.h>
#include <signal.h>

enum job_state { JOB_EMPTY, JOB_WAITING, JOB_ENCODING, JOB_DONE };

struct job {
    enum job_state state;
    stoa_row_group group;
    stoa_status status;
    stoa_error error;
};

struct worker {
    stoa_encode_queue *queue;
    stoa_column_encoder encoder;
    pthread_t thread;
};

struct stoa_encode_queue {
    pthread_mutex_t lock;
    pthread_cond_t work;     /* a job is WAITING, or closing */
    pthread_cond_t finished; /* a job is DONE */
    bool closing;
    size_t next; /* the job that a free thread takes, when it is WAITING */

    size_t head; /* the caller's: where the next group goes */
    size_t used;
    size_t size;
    struct job *jobs;
    struct worker *workers;
    size_t started;
    const stoa_leaf *leaves;
    stoa_pool *pool;
};

static struct job *take_waiting(stoa_encode_queue *queue) {
    pthread_mutex_lock(&queue->lock);
    while (!queue->closing && queue->jobs[queue->next].state != JOB_WAITING) {
        pthread_cond_wait(&queue->work, &queue->lock);
    }
    struct job *job = NULL;
    if (!queue->closing) {
        job = &queue->jobs[queue->next];
        job->state = JOB_ENCODING;
        queue->next = (queue->next + 1) % queue->size;
    }
    pthread_mutex_unlock(&queue->lock);
    return job;
}

static void *worker_main(void *user) {
    struct worker *worker = user;
    stoa_encode_queue *queue = worker->queue;
    struct job *job;
    while ((job = take_waiting(queue)) != NULL) {
        job->status =
            stoa_row_group_encode(&job->group, &worker->encoder, queue->leaves, &job->error);
        pthread_mutex_lock(&queue->lock);
        job->state = JOB_DONE;
        pthread_cond_signal(&queue->finished);
        pthread_mutex_unlock(&queue->lock);
    }
    return NULL;
}

/* Signals stay with the program's own threads, but not those that a thread's own doing raises: one
 * that is blocked then ends the process without asking the program's handler, or the one for maps. */
static int start_thread(struct worker *worker) {
    static const int own[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        sigdelset(&all, own[i]);
    }
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static stoa_status start_workers(stoa_encode_queue *queue, const stoa_context *context,
                                 const stoa_parquet_options *options, stoa_error *err) {
    for (size_t i = 0; i < queue->size; i++) {
        struct worker *worker = &queue->workers[i];
        worker->queue = queue;
        stoa_status status = stoa_column_encoder_init(&worker->encoder, context, options, err);
        if (status == STOA_OK) {
            int failed = start_thread(worker);
            if (failed != 0) {
                status = stoa_fail_errno(err, failed, "start", "a thread that encodes row groups");
            }
        }
        if (status != STOA_OK) {
            stoa_column_encoder_release(&worker->encoder);
            return status;
        }
        queue->started++;
    }
    return STOA_OK;
}

stoa_status stoa_encode_queue_create(const stoa_context *context,
                                     const stoa_parquet_options *options, const stoa_leaf *leaves,
                                     stoa_encode_queue **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_encode_queue *queue = NULL;
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(context->pool, 1, sizeof *queue, &memory, err));
    queue = memory;
    queue->pool = context->pool;
    queue->leaves = leaves;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->work, NULL);
    pthread_cond_init(&queue->finished, NULL);
    queue->size = (size_t)options->threads;
    STOA_CHECK(stoa_pool_allocate_array(queue->pool, queue->size, sizeof *queue->jobs, &memory,
                                        err));
    queue->jobs = memory;
    STOA_CHECK(stoa_pool_allocate_array(queue->pool, queue->size, sizeof *queue->workers, &memory,
                                        err));
    queue->workers = memory;
    STOA_CHECK(start_workers(queue, context, options, err));
    *out = queue;
    return STOA_OK;

done:
    stoa_encode_queue_close(queue);
    return status;
}

bool stoa_encode_queue_is_full(const stoa_encode_queue *queue) {
    return queue->used == queue->size;
}

bool stoa_encode_queue_is_empty(const stoa_encode_queue *queue) {
    return queue->used == 0;
}

void stoa_encode_queue_put(stoa_encode_queue *queue, stoa_row_group *group) {
    STOA_ASSERT(queue->used < queue->size);
    struct job *job = &queue->jobs[queue->head];
    STOA_ASSERT(job->state == JOB_EMPTY);
    job->group = *group;
    *group = (stoa_row_group){0};
    queue->head = (queue->head + 1) % queue->size;
    queue->used++;
    pthread_mutex_lock(&queue->lock);
    job->state = JOB_WAITING;
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

stoa_status stoa_encode_queue_take(stoa_encode_queue *queue, stoa_row_group *out,
                                   stoa_error *err) {
    STOA_ASSERT(queue->used > 0);
    struct job *job = &queue->jobs[(queue->head + queue->size - queue->used) % queue->size];
    pthread_mutex_lock(&queue->lock);
    while (job->state != JOB_DONE) {
        pthread_cond_wait(&queue->finished, &queue->lock);
    }
    job->state = JOB_EMPTY;
    pthread_mutex_unlock(&queue->lock);
    queue->used--;
    if (job->status != STOA_OK) {
        stoa_row_group_release(&job->group);
        if (err != NULL) {
            *err = job->error;
        }
        return job->status;
    }
    *out = job->group;
    job->group = (stoa_row_group){0};
    return STOA_OK;
}

void stoa_encode_queue_close(stoa_encode_queue *queue) {
    if (queue == NULL) {
        return;
    }
    pthread_mutex_lock(&queue->lock);
    queue->closing = true;
    pthread_cond_broadcast(&queue->work);
    pthread_mutex_unlock(&queue->lock);
    for (size_t i = 0; i < queue->started; i++) {
        pthread_join(queue->workers[i].thread, NULL);
        stoa_column_encoder_release(&queue->workers[i].encoder);
    }
    for (size_t i = 0; queue->jobs != NULL && i < queue->size; i++) {
        stoa_row_group_release(&queue->jobs[i].group);
    }
    pthread_cond_destroy(&queue->work);
    pthread_cond_destroy(&queue->finished);
    pthread_mutex_destroy(&queue->lock);
    stoa_pool_free(queue->pool, queue->jobs, queue->size * sizeof *queue->jobs);
    stoa_pool_free(queue->pool, queue->workers, queue->size * sizeof *queue->workers);
    stoa_pool_free(queue->pool, queue, sizeof *queue);
}
