/* The terminal modes of RFC 4254 8 as a table of what each opcode means here. */
#include "wire/tty_modes.h"

#include <unistd.h>

#include "wire/writer.h"

#define OP_END           0
#define OP_FIRST_UNKNOWN 160
#define OP_ISPEED        128
#define OP_OSPEED        129
#define CHARACTER_OFF    255 /* RFC 4254 8: this character is disabled */

enum mode_kind { MODE_CHARACTER, MODE_INPUT, MODE_LOCAL, MODE_OUTPUT, MODE_CONTROL };

/* value: the index in c_cc, or the bits; mask: the bits they are taken from (0: the same). */
static const struct {
    uint8_t opcode;
    enum mode_kind kind;
    tcflag_t value, mask;
} modes_known[] = {
    {1, MODE_CHARACTER, VINTR, 0},     {2, MODE_CHARACTER, VQUIT, 0},
    {3, MODE_CHARACTER, VERASE, 0},    {4, MODE_CHARACTER, VKILL, 0},
    {5, MODE_CHARACTER, VEOF, 0},      {6, MODE_CHARACTER, VEOL, 0},
    {7, MODE_CHARACTER, VEOL2, 0},     {8, MODE_CHARACTER, VSTART, 0},
    {9, MODE_CHARACTER, VSTOP, 0},     {10, MODE_CHARACTER, VSUSP, 0},
    {12, MODE_CHARACTER, VREPRINT, 0}, {13, MODE_CHARACTER, VWERASE, 0},
    {14, MODE_CHARACTER, VLNEXT, 0},   {18, MODE_CHARACTER, VDISCARD, 0},
    {30, MODE_INPUT, IGNPAR, 0},       {31, MODE_INPUT, PARMRK, 0},
    {32, MODE_INPUT, INPCK, 0},        {33, MODE_INPUT, ISTRIP, 0},
    {34, MODE_INPUT, INLCR, 0},        {35, MODE_INPUT, IGNCR, 0},
    {36, MODE_INPUT, ICRNL, 0},        {37, MODE_INPUT, IUCLC, 0},
    {38, MODE_INPUT, IXON, 0},         {39, MODE_INPUT, IXANY, 0},
    {40, MODE_INPUT, IXOFF, 0},        {41, MODE_INPUT, IMAXBEL, 0},
    {42, MODE_INPUT, IUTF8, 0},        {50, MODE_LOCAL, ISIG, 0},
    {51, MODE_LOCAL, ICANON, 0},       {52, MODE_LOCAL, XCASE, 0},
    {53, MODE_LOCAL, ECHO, 0},         {54, MODE_LOCAL, ECHOE, 0},
    {55, MODE_LOCAL, ECHOK, 0},        {56, MODE_LOCAL, ECHONL, 0},
    {57, MODE_LOCAL, NOFLSH, 0},       {58, MODE_LOCAL, TOSTOP, 0},
    {59, MODE_LOCAL, IEXTEN, 0},       {60, MODE_LOCAL, ECHOCTL, 0},
    {61, MODE_LOCAL, ECHOKE, 0},       {62, MODE_LOCAL, PENDIN, 0},
    {70, MODE_OUTPUT, OPOST, 0},       {71, MODE_OUTPUT, OLCUC, 0},
    {72, MODE_OUTPUT, ONLCR, 0},       {73, MODE_OUTPUT, OCRNL, 0},
    {74, MODE_OUTPUT, ONOCR, 0},       {75, MODE_OUTPUT, ONLRET, 0},
    {90, MODE_CONTROL, CS7, CSIZE},    {91, MODE_CONTROL, CS8, CSIZE},
    {92, MODE_CONTROL, PARENB, 0},     {93, MODE_CONTROL, PARODD, 0},
};

static const struct {
    uint32_t baud;
    speed_t speed;
} speeds[] = {
    {50, B50},       {75, B75},         {110, B110},       {134, B134},     {150, B150},
    {200, B200},     {300, B300},       {600, B600},       {1200, B1200},   {1800, B1800},
    {2400, B2400},   {4800, B4800},     {9600, B9600},     {19200, B19200}, {38400, B38400},
    {57600, B57600}, {115200, B115200}, {230400, B230400},
};

static void set_speed(struct termios *t, uint8_t opcode, uint32_t baud)
{
    for (size_t i = 0; i < ARRAY_LEN(speeds); i++) {
        if (speeds[i].baud != baud)
            continue;
        if (opcode == OP_ISPEED)
            (void)cfsetispeed(t, speeds[i].speed);
        else
            (void)cfsetospeed(t, speeds[i].speed);
    }
}

/* A size of characters (CS7, CS8) is only ever set: "off" says nothing about another one. */
static void set_bits(tcflag_t *flags, tcflag_t bits, tcflag_t mask, bool on)
{
    if (mask && on)
        *flags = (*flags & ~mask) | bits;
    else if (!mask)
        *flags = on ? *flags | bits : *flags & ~bits;
}

static void apply(struct termios *t, uint8_t opcode, uint32_t argument)
{
    if (opcode == OP_ISPEED || opcode == OP_OSPEED) {
        set_speed(t, opcode, argument);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(modes_known); i++) {
        if (modes_known[i].opcode != opcode)
            continue;
        tcflag_t value = modes_known[i].value;
        tcflag_t *const flags[] = {[MODE_INPUT] = &t->c_iflag,
                                   [MODE_LOCAL] = &t->c_lflag,
                                   [MODE_OUTPUT] = &t->c_oflag,
                                   [MODE_CONTROL] = &t->c_cflag};
        if (modes_known[i].kind == MODE_CHARACTER)
            t->c_cc[value] = argument == CHARACTER_OFF ? _POSIX_VDISABLE : (cc_t)argument;
        else
            set_bits(flags[modes_known[i].kind], value, modes_known[i].mask, argument != 0);
    }
}

enum err tty_modes_apply(struct slice modes, struct termios *t)
{
    while (modes.len && modes.ptr[0] != OP_END && modes.ptr[0] < OP_FIRST_UNKNOWN) {
        if (modes.len < 5)
            return ERR_TRUNCATED;
        uint32_t argument = (uint32_t)modes.ptr[1] << 24 | (uint32_t)modes.ptr[2] << 16 |
                            (uint32_t)modes.ptr[3] << 8 | modes.ptr[4];
        apply(t, modes.ptr[0], argument);
        modes = slice_of(modes.ptr + 5, modes.len - 5);
    }
    return OK;
}

static uint32_t baud_of(speed_t speed)
{
    for (size_t i = 0; i < ARRAY_LEN(speeds); i++) {
        if (speeds[i].speed == speed)
            return speeds[i].baud;
    }
    return 0;
}

static void put_mode(struct writer *w, uint8_t opcode, uint32_t argument)
{
    writer_u8(w, opcode);
    writer_u32(w, argument);
}

static uint32_t argument_of(const struct termios *t, size_t i)
{
    tcflag_t value = modes_known[i].value;
    tcflag_t mask = modes_known[i].mask ? modes_known[i].mask : value;
    const tcflag_t flags[] = {[MODE_INPUT] = t->c_iflag,
                              [MODE_LOCAL] = t->c_lflag,
                              [MODE_OUTPUT] = t->c_oflag,
                              [MODE_CONTROL] = t->c_cflag};
    if (modes_known[i].kind == MODE_CHARACTER)
        return t->c_cc[value] == _POSIX_VDISABLE ? CHARACTER_OFF : t->c_cc[value];
    return (flags[modes_known[i].kind] & mask) == value;
}

enum err tty_modes_encode(const struct termios *t, struct buf *out)
{
    struct writer w;
    writer_init(&w, out);
    for (size_t i = 0; t && i < ARRAY_LEN(modes_known); i++)
        put_mode(&w, modes_known[i].opcode, argument_of(t, i));
    if (t && baud_of(cfgetispeed(t)))
        put_mode(&w, OP_ISPEED, baud_of(cfgetispeed(t)));
    if (t && baud_of(cfgetospeed(t)))
        put_mode(&w, OP_OSPEED, baud_of(cfgetospeed(t)));
    writer_u8(&w, OP_END);
    return writer_done(&w);
}
