/**
 * frame: how calls look on the wire. Pure: bytes in, structs out, and back.
 *
 * A message is a batch header, an authentication block (token.h) and frames. All integers are
 * big-endian. One message has calls of one class, and commits of one partition.
 *
 *   batch header, 32 bytes: magic u16 0x5454, version u8, class u8, frame count u16, window u16,
 *     sender u64, partition u16, authentication length u16, epoch u32, reserved u64 (0)
 *   frame header, 24 bytes: length of metadata and body u32, length of metadata u16, method u16,
 *     flags u16, status u16, deadline u32, call id u64
 *
 * Threads: no state, any thread.
 */
#ifndef RPC_FRAME_H
#define RPC_FRAME_H

#include "base/status.h"
#include "base/str.h"
#include "rpc/contract.h"

#include <stdint.h>

enum {
    FRAME_MAGIC           = 0x5454, /* "TT" */
    FRAME_VERSION         = 1,
    BATCH_HEADER_SIZE     = 32,       /* bytes */
    FRAME_HEADER_SIZE     = 24,       /* bytes */
    FRAME_METADATA_MAX    = 32 << 10, /* bytes; the field has 16 bits */
    BATCH_FRAMES_MAX      = 1'024,
    BATCH_SIZE_MAX        = 256 << 10, /* bytes of frames that travel together */
    BULK_BODY_SIZE_MIN    = 64 << 10,  /* bytes; above it a call travels alone */
    FRAME_DEADLINE_OFFSET = 12,        /* bytes into the frame header */
};

/* In the status field beside the gRPC codes. */
enum { FRAME_CODE_MOVED = 64 };

enum {
    FRAME_FLAG_ALONE    = 1, /* answers: did not fit beside the others; repeat it as a bulk call */
    FRAME_FLAG_REPLAYED = 2, /* answers: as before to the same request id; nothing was done */
};

struct batch_header {
    enum rpc_class class;
    uint16_t count;     /* frames: 1..BATCH_FRAMES_MAX */
    uint16_t window;    /* answers: how many frames the server takes next */
    uint64_t sender;    /* random per process */
    uint16_t partition; /* of commits; 0 elsewhere */
    uint16_t auth_size; /* bytes between this header and the first frame */
    uint32_t epoch;     /* of the partition's owner; 0: not known */
};

struct frame {
    uint16_t method; /* number of the service * 256 + index */
    uint16_t flags;
    uint16_t code;        /* answers: a status or FRAME_CODE_MOVED; requests: 0 */
    uint32_t deadline_ms; /* requests: what is left when it is sent; answers: 0 */
    uint64_t call_id;
    bytes metadata; /* views into the message */
    bytes body;
};

/** Walks the frames of a message. */
struct frame_reader {
    bytes rest; /* not yet read */
    unsigned left;
};

void batch_header_encode(const struct batch_header *header,
                         uint8_t ret_bytes[static BATCH_HEADER_SIZE]);

/** Checks the header, also that `message` may hold as many frames as it says.
 * INVALID_ARGUMENT: not one of ours. FAILED_PRECONDITION: another version. */
status batch_header_decode(bytes message, struct batch_header *ret_header, struct error *reterr);

/** Writes the header of a frame; lengths are taken from its views. */
void frame_header_encode(const struct frame *frame, uint8_t ret_bytes[static FRAME_HEADER_SIZE]);

/** A reader of the frames behind a header that batch_header_decode() accepted. */
struct frame_reader frame_reader_init(bytes message, const struct batch_header *header);

/** Reads the next frame; there must be one left. INVALID_ARGUMENT: lengths that do not fit, or
 * bytes after the last frame. */
status frame_next(struct frame_reader *reader, struct frame *ret_frame, struct error *reterr);

#endif
