/* The table, and the rule for numbers that have no row. */
#include "transport/message_table.h"

#include "wire/numbers.h"

#define C 1 /* a client may send it */
#define S 2 /* a server may send it */
#define B (C | S)

#define FIRST  (1 << PHASE_FIRST_KEX)
#define STRICT (1 << PHASE_FIRST_KEX_STRICT)
#define AUTH   (1 << PHASE_AUTH)
#define LIVE   (1 << PHASE_CONNECTED)
#define REKEY  (1 << PHASE_REKEY)

static const struct row {
    uint8_t number;
    uint8_t senders;
    uint8_t phases;
    enum message_to to;
    const char *name;
} rows[] = {
    /* clang-format off */
    {SSH_MSG_DISCONNECT,                B, FIRST | STRICT | AUTH | LIVE | REKEY, MESSAGE_TO_TRANSPORT, "DISCONNECT"},
    {SSH_MSG_IGNORE,                    B, FIRST | AUTH | LIVE | REKEY,          MESSAGE_TO_TRANSPORT, "IGNORE"},
    {SSH_MSG_UNIMPLEMENTED,             B, FIRST | AUTH | LIVE | REKEY,          MESSAGE_TO_TRANSPORT, "UNIMPLEMENTED"},
    {SSH_MSG_DEBUG,                     B, FIRST | AUTH | LIVE | REKEY,          MESSAGE_TO_TRANSPORT, "DEBUG"},
    {SSH_MSG_SERVICE_REQUEST,           C, AUTH,                                 MESSAGE_TO_AUTH,      "SERVICE_REQUEST"},
    {SSH_MSG_SERVICE_ACCEPT,            S, AUTH,                                 MESSAGE_TO_AUTH,      "SERVICE_ACCEPT"},
    {SSH_MSG_EXT_INFO,                  B, AUTH,                                 MESSAGE_TO_TRANSPORT, "EXT_INFO"},
    {SSH_MSG_KEXINIT,                   B, FIRST | AUTH | LIVE,                  MESSAGE_TO_KEX,       "KEXINIT"},
    {SSH_MSG_NEWKEYS,                   B, FIRST | STRICT | REKEY,               MESSAGE_TO_KEX,       "NEWKEYS"},
    {SSH_MSG_KEX_ECDH_INIT,             C, FIRST | STRICT | REKEY,               MESSAGE_TO_KEX,       "KEX_ECDH_INIT"},
    {SSH_MSG_KEX_ECDH_REPLY,            S, FIRST | STRICT | REKEY,               MESSAGE_TO_KEX,       "KEX_ECDH_REPLY"},
    {SSH_MSG_KEX_DH_GEX_INIT,           C, FIRST | STRICT | REKEY,               MESSAGE_TO_KEX,       "KEX_DH_GEX_INIT"},
    {SSH_MSG_KEX_DH_GEX_REPLY,          S, FIRST | STRICT | REKEY,               MESSAGE_TO_KEX,       "KEX_DH_GEX_REPLY"},
    {SSH_MSG_KEX_DH_GEX_REQUEST,        C, FIRST | STRICT | REKEY,               MESSAGE_TO_KEX,       "KEX_DH_GEX_REQUEST"},
    {SSH_MSG_USERAUTH_REQUEST,          C, AUTH,                                 MESSAGE_TO_AUTH,      "USERAUTH_REQUEST"},
    {SSH_MSG_USERAUTH_REQUEST,          C, LIVE,                                 MESSAGE_IGNORED,      "USERAUTH_REQUEST"},
    {SSH_MSG_USERAUTH_FAILURE,          S, AUTH,                                 MESSAGE_TO_AUTH,      "USERAUTH_FAILURE"},
    {SSH_MSG_USERAUTH_SUCCESS,          S, AUTH,                                 MESSAGE_TO_AUTH,      "USERAUTH_SUCCESS"},
    {SSH_MSG_USERAUTH_BANNER,           S, AUTH,                                 MESSAGE_TO_AUTH,      "USERAUTH_BANNER"},
    {SSH_MSG_USERAUTH_PK_OK,            S, AUTH,                                 MESSAGE_TO_AUTH,      "USERAUTH_PK_OK"},
    {SSH_MSG_USERAUTH_INFO_RESPONSE,    C, AUTH,                                 MESSAGE_TO_AUTH,      "USERAUTH_INFO_RESPONSE"},
    {SSH_MSG_GLOBAL_REQUEST,            B, LIVE,                                 MESSAGE_TO_CONN,      "GLOBAL_REQUEST"},
    {SSH_MSG_REQUEST_SUCCESS,           B, LIVE,                                 MESSAGE_TO_CONN,      "REQUEST_SUCCESS"},
    {SSH_MSG_REQUEST_FAILURE,           B, LIVE,                                 MESSAGE_TO_CONN,      "REQUEST_FAILURE"},
    {SSH_MSG_CHANNEL_OPEN,              B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_OPEN"},
    {SSH_MSG_CHANNEL_OPEN_CONFIRMATION, B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_OPEN_CONFIRMATION"},
    {SSH_MSG_CHANNEL_OPEN_FAILURE,      B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_OPEN_FAILURE"},
    {SSH_MSG_CHANNEL_WINDOW_ADJUST,     B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_WINDOW_ADJUST"},
    {SSH_MSG_CHANNEL_DATA,              B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_DATA"},
    {SSH_MSG_CHANNEL_EXTENDED_DATA,     B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_EXTENDED_DATA"},
    {SSH_MSG_CHANNEL_EOF,               B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_EOF"},
    {SSH_MSG_CHANNEL_CLOSE,             B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_CLOSE"},
    {SSH_MSG_CHANNEL_REQUEST,           B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_REQUEST"},
    {SSH_MSG_CHANNEL_SUCCESS,           B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_SUCCESS"},
    {SSH_MSG_CHANNEL_FAILURE,           B, LIVE,                                 MESSAGE_TO_CONN,      "CHANNEL_FAILURE"},
    {SSH_MSG_PING,                      B, LIVE,                                 MESSAGE_TO_TRANSPORT, "PING"},
    {SSH_MSG_PONG,                      B, LIVE,                                 MESSAGE_TO_TRANSPORT, "PONG"},
    /* clang-format on */
};

/*
 * Numbers without a row. In a strict first exchange nothing unexpected is tolerated; while the
 * peer's exchange runs only 1 to 49 may come (RFC 4253 7.1); before authentication numbers from 80
 * on end the connection (RFC 4252 6).
 */
static enum message_to unknown_number(uint8_t number, enum message_phase phase)
{
    bool illegal =
        number == 0 || phase == PHASE_FIRST_KEX_STRICT || (phase == PHASE_REKEY && number >= 50) ||
        (phase == PHASE_AUTH && number >= 80) || (phase == PHASE_FIRST_KEX && number >= 50);
    return illegal ? MESSAGE_ILLEGAL : MESSAGE_UNIMPLEMENTED;
}

enum message_to message_lookup(uint8_t number, enum transport_role sender, enum message_phase phase)
{
    uint8_t who = sender == TRANSPORT_CLIENT ? C : S;
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].number != number)
            continue;
        known = true;
        if ((rows[i].senders & who) && (rows[i].phases & (1 << phase)))
            return rows[i].to;
    }
    return known ? MESSAGE_ILLEGAL : unknown_number(number, phase);
}

const char *message_name(uint8_t number)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].number == number)
            return rows[i].name;
    }
    return "unknown";
}
