/* Threads that write files of the store. Where they wait for tasks they run others meanwhile, also some
 * that commit: these must not wait for files, which may be those that their own thread is writing, or
 * another one on which the same has happened. */
#include "lsm/store_internal.h"

void stoa_store_worker_enter(stoa_store *store, stoa_store_worker *worker) {
    worker->thread = pthread_self();
    pthread_mutex_lock(&store->lock);
    worker->next = store->workers;
    store->workers = worker;
    pthread_mutex_unlock(&store->lock);
}

void stoa_store_worker_leave(stoa_store *store, const stoa_store_worker *worker) {
    pthread_mutex_lock(&store->lock);
    stoa_store_worker **link = &store->workers;
    while (*link != worker) {
        link = &(*link)->next;
    }
    *link = worker->next;
    pthread_mutex_unlock(&store->lock);
}

bool stoa_store_works_here(stoa_store *store) {
    bool found = false;
    pthread_mutex_lock(&store->lock);
    for (const stoa_store_worker *worker = store->workers; worker != NULL && !found;
         worker = worker->next) {
        found = pthread_equal(worker->thread, pthread_self());
    }
    pthread_mutex_unlock(&store->lock);
    return found;
}

stoa_status stoa_store_check_may_wait(stoa_store *store, stoa_error *err) {
    return !stoa_store_works_here(store)
               ? STOA_OK
               : stoa_fail(err, STOA_CONFLICT,
                           "this thread is writing files of the state tables, and came here from a "
                           "task that it ran meanwhile: it cannot wait for them");
}
