/* The queue of each priority: a ring under a lock, from which workers take several tasks at once. */
#include "sched/internal.h"

#include "base/hash.h"

enum { QUEUE_PLACES_MIN = 256 };

void stoa_queue_init(struct queue *queue) {
    (void)pthread_mutex_init(&queue->lock, NULL);
}

void stoa_queue_release(struct queue *queue, stoa_pool *pool) {
    stoa_pool_free(pool, queue->tasks, queue->capacity * sizeof *queue->tasks);
    (void)pthread_mutex_destroy(&queue->lock);
}

static size_t queue_count(const struct queue *queue) {
    return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

/* Sequentially consistent: who pushes looks for sleepers next, and who falls asleep looks here. */
static void set_count(struct queue *queue, size_t count) {
    atomic_store_explicit(&queue->count, count, memory_order_seq_cst);
}

static struct task *place(struct queue *queue, size_t index) {
    return &queue->tasks[(queue->first + index) & (queue->capacity - 1)];
}

static bool grow(struct queue *queue, stoa_pool *pool) {
    size_t count = queue_count(queue);
    size_t capacity = queue->capacity == 0 ? QUEUE_PLACES_MIN : queue->capacity * 2;
    void *memory = NULL;
    if (stoa_pool_allocate(pool, capacity * sizeof(struct task), &memory, NULL) != STOA_OK) {
        return false;
    }
    struct task *tasks = memory;
    for (size_t i = 0; i < count; i++) {
        tasks[i] = *place(queue, i);
    }
    stoa_pool_free(pool, queue->tasks, queue->capacity * sizeof *tasks);
    queue->tasks = tasks;
    queue->capacity = capacity;
    queue->first = 0;
    return true;
}

bool stoa_queue_push(struct queue *queue, stoa_pool *pool, const struct task *task) {
    (void)pthread_mutex_lock(&queue->lock);
    size_t count = queue_count(queue);
    bool fits = count < queue->capacity || grow(queue, pool);
    if (fits) {
        *place(queue, count) = *task;
        set_count(queue, count + 1);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return fits;
}

int32_t stoa_queue_take(struct queue *queue, int32_t sharers, int32_t most, struct task *out) {
    if (queue_count(queue) == 0) {
        return 0;
    }
    (void)pthread_mutex_lock(&queue->lock);
    size_t count = queue_count(queue);
    size_t taken = (count + (size_t)sharers - 1) / (size_t)sharers;
    taken = taken < (size_t)most ? taken : (size_t)most;
    for (size_t i = 0; i < taken; i++) {
        out[i] = *place(queue, i);
    }
    if (taken > 0) {
        queue->first = (queue->first + taken) & (queue->capacity - 1);
        set_count(queue, count - taken);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return (int32_t)taken;
}

/* The first takes the place of the one that leaves. */
static void remove_at(struct queue *queue, size_t index) {
    *place(queue, index) = *place(queue, 0);
    queue->first = (queue->first + 1) & (queue->capacity - 1);
    set_count(queue, queue_count(queue) - 1);
}

bool stoa_queue_draw(struct queue *queue, uint64_t *random, struct task *out) {
    (void)pthread_mutex_lock(&queue->lock);
    size_t count = queue_count(queue);
    if (count > 0) {
        *random = stoa_hash_u64(*random + 1);
        size_t drawn = (size_t)(*random % count);
        *out = *place(queue, drawn);
        remove_at(queue, drawn);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return count > 0;
}

bool stoa_queue_take_of(struct queue *queue, const stoa_group *group, struct task *out) {
    bool found = false;
    (void)pthread_mutex_lock(&queue->lock);
    size_t count = queue_count(queue);
    for (size_t i = 0; i < count && !found; i++) {
        if (place(queue, i)->group == group) {
            *out = *place(queue, i);
            remove_at(queue, i);
            found = true;
        }
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return found;
}
