/* The allocator behind root pools that were given none of their own. */
#ifndef STOA_MEM_SYSTEM_H
#define STOA_MEM_SYSTEM_H

#include <stoa/memory.h>

typedef struct stoa_system stoa_system;

/// NULL when there is no memory.
stoa_system *stoa_system_create(void);
/// Gives cached blocks back to the system; what is still in use stays valid. NULL is allowed.
void stoa_system_close(stoa_system *system);
stoa_allocator stoa_system_allocator(stoa_system *system);

#endif
