#include "drivers/io/can_errors.h"

#include <linux/can/error.h>
#include <stdio.h>

static unsigned controller(uint8_t status)
{
    unsigned t = 0;
    t |= (status & CAN_ERR_CRTL_RX_OVERFLOW) != 0 ? CAN_TROUBLE_RX_FULL : 0;
    t |= (status & CAN_ERR_CRTL_TX_OVERFLOW) != 0 ? CAN_TROUBLE_TX_FULL : 0;
    t |= (status & (CAN_ERR_CRTL_RX_WARNING | CAN_ERR_CRTL_TX_WARNING)) != 0 ? CAN_TROUBLE_WARNING
                                                                             : 0;
    t |= (status & (CAN_ERR_CRTL_RX_PASSIVE | CAN_ERR_CRTL_TX_PASSIVE)) != 0 ? CAN_TROUBLE_PASSIVE
                                                                             : 0;
    return t;
}

static unsigned troubles_of(const struct canfd_frame *f)
{
    static const struct {
        uint32_t class;
        unsigned trouble;
    } rows[] = {
        {CAN_ERR_BUSOFF, CAN_TROUBLE_BUS_OFF},      {CAN_ERR_ACK, CAN_TROUBLE_NO_ACK},
        {CAN_ERR_TX_TIMEOUT, CAN_TROUBLE_TX_FULL},  {CAN_ERR_PROT, CAN_TROUBLE_SIGNAL},
        {CAN_ERR_TRX, CAN_TROUBLE_SIGNAL},          {CAN_ERR_BUSERROR, CAN_TROUBLE_SIGNAL},
        {CAN_ERR_RESTARTED, CAN_TROUBLE_RESTARTED},
    };

    unsigned t = 0;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        t |= (f->can_id & rows[i].class) != 0 ? rows[i].trouble : 0;
    }
    return (f->can_id & CAN_ERR_CRTL) != 0 ? t | controller(f->data[1]) : t;
}

void can_errors_add(struct can_errors *e, unsigned trouble, uint64_t n)
{
    for (unsigned i = 0; i < CAN_TROUBLES; i++) {
        e->n[i] += (trouble >> i & 1u) != 0 ? n : 0;
    }
}

unsigned can_errors_note(struct can_errors *e, const struct canfd_frame *f)
{
    if ((f->can_id & CAN_ERR_FLAG) == 0) {
        return 0;
    }
    const unsigned t = troubles_of(f);
    can_errors_add(e, t, 1);
    if ((f->can_id & CAN_ERR_CNT) != 0) {
        e->tx_errors = f->data[6];
        e->rx_errors = f->data[7];
    }
    return t;
}

int can_errors_text(unsigned trouble, const char *device, char *ret_text, int cap)
{
    static const struct {
        unsigned trouble;
        const char *what;
    } rows[] = {
        {CAN_TROUBLE_BUS_OFF, "has left the bus after too many errors (bus-off): check cable, "
                              "termination and bit rate, then restart it"},
        {CAN_TROUBLE_NO_ACK, "sends, and nobody acknowledges: check the motors' power, the cable "
                             "and bus.bitrate"},
        {CAN_TROUBLE_PASSIVE, "has many errors (error passive): check cable, termination and "
                              "bus.bitrate before it goes bus-off"},
        {CAN_TROUBLE_TX_FULL, "takes no more frames, they are dropped: check the motors' power "
                              "and the cable"},
        {CAN_TROUBLE_RX_FULL, "lost frames that came faster than they were read: check the load "
                              "of this computer and of the adapter"},
        {CAN_TROUBLE_SIGNAL, "sees damaged frames: check cable, termination and bus.bitrate"},
        {CAN_TROUBLE_WARNING, "has errors (error warning): check cable and termination"},
        {CAN_TROUBLE_RESTARTED, "is on the bus again after bus-off"},
    };

    if ((trouble & CAN_TROUBLE_DOWN) != 0) { /* what is pulled out goes down first */
        return snprintf(ret_text, (size_t)cap,
                        "%.64s is down (unplugged?): plug it in again, or ip link set %.15s up",
                        device, device);
    }
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if ((trouble & rows[i].trouble) != 0) {
            return snprintf(ret_text, (size_t)cap, "%.64s %s", device, rows[i].what);
        }
    }
    return 0;
}
