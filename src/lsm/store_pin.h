/* What all tables of a store hold at one moment: for readers of several of them, and of one again and
 * again. It keeps the memory and the files that it sees; compactions need not know of it. */
#ifndef STOA_LSM_STORE_PIN_H
#define STOA_LSM_STORE_PIN_H

#include "lsm/get.h"
#include "lsm/store.h"

typedef struct stoa_store_pin stoa_store_pin;

/// The newest commit, of a store that is only read the newest that was followed.
///
/// Owns     One reference, which the caller gives back before the store is closed.
STOA_MUST_USE stoa_status stoa_store_pin_create(stoa_store *store, stoa_store_pin **out,
                                                stoa_error *err);
stoa_store_pin *stoa_store_pin_retain(stoa_store_pin *pin);
/// NULL is allowed. Any thread.
void stoa_store_pin_release(stoa_store_pin *pin);

/// The number of the newest commit that it sees; 0: there was none.
uint64_t stoa_store_pin_sequence(const stoa_store_pin *pin);

/// How a table is read as it was then. Everything in it is borrowed from the pin.
///
/// Errors   STOA_NOT_FOUND  there was no table of this id
STOA_MUST_USE stoa_status stoa_store_pin_reading(const stoa_store_pin *pin, int64_t table_id,
                                                 stoa_view_reading *out, stoa_error *err);

#endif
