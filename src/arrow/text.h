/* The inside of stoa_text, for modules that fill one. */
#ifndef STOA_ARROW_TEXT_H
#define STOA_ARROW_TEXT_H

#include <stoa/text.h>

#include "mem/buffer.h"

struct stoa_text {
    stoa_buffer buffer; /* always has a NUL after its bytes once it was filled */
};

#endif
