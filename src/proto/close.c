/* close.c - close codes, and the payload of close frames. */
#include "proto/close.h"

bool swale_close_code_valid(int code)
{
    if (code >= 3000 && code <= 4999) /* registered by libraries, and private */
        return true;
    /* 1004 is reserved; 1005, 1006 and 1015 tell the lack of a frame and never stand in one; 1012 to 1014 are from
     * the IANA registry; what is above waits for a later version of the protocol. */
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

int swale__close_write(int code, struct swale_span reason, char payload[2 + SWALE_REASON_MAX])
{
    if (code == 0)
        return reason.size == 0 ? 0 : SWALE_ERR_INVALID;
    if (!swale_close_code_valid(code) || reason.size > SWALE_REASON_MAX)
        return SWALE_ERR_INVALID;
    if (!swale_utf8_valid(reason.data, reason.size))
        return SWALE_ERR_INVALID;
    payload[0] = (char)(code >> 8);
    payload[1] = (char)code;
    if (reason.size > 0)
        memcpy(payload + 2, reason.data, reason.size);
    return 2 + (int)reason.size;
}

int swale__close_read(struct swale_span payload, int *code, struct swale_span *reason)
{
    *code = SWALE__CLOSE_NO_CODE;
    *reason = swale_span(payload.data, 0);
    if (payload.size == 0)
        return 0;
    if (payload.size == 1)
        return SWALE_ERR_CLOSE_PAYLOAD;
    *code = (unsigned char)payload.data[0] << 8 | (unsigned char)payload.data[1];
    *reason = swale_span(payload.data + 2, payload.size - 2);
    if (!swale_close_code_valid(*code))
        return SWALE_ERR_CLOSE_CODE;
    return swale_utf8_valid(reason->data, reason->size) ? 0 : SWALE_ERR_UTF8;
}
