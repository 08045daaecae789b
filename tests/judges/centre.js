// A message centre by node-smpp. Writes its port, then a line of JSON for each message that it
// took; sends a receipt for each that wants one, by text or by parameters in turn. With TLS_KEY and
// TLS_CERT it speaks TLS; DEFAULT_ALPHABET is what data_coding 0 means to it.
const fs = require("fs");
const smpp = require("smpp");

const tls = process.env.TLS_KEY && {
  key: fs.readFileSync(process.env.TLS_KEY),
  cert: fs.readFileSync(process.env.TLS_CERT),
};

if (process.env.DEFAULT_ALPHABET) {
  smpp.encodings.default = process.env.DEFAULT_ALPHABET;
}

let taken = 0;
const server = smpp.createServer(tls || {}, (session) => {
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const right = pdu.system_id === "carom" && pdu.password === "s3cret";
    session.send(pdu.response({ command_status: right ? 0 : smpp.ESME_RINVPASWD }));
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    session.send(pdu.response());
    session.close();
    console.log(JSON.stringify({ unbound: true }));
  });
  session.on("submit_sm", (pdu) => {
    taken += 1;
    const id = (0xa0 + taken).toString(16).toUpperCase();
    session.send(pdu.response({ message_id: id }));
    const whole = pdu.message_payload !== undefined;
    const message = whole ? pdu.message_payload : pdu.short_message;
    const text = message.message;
    console.log(
      JSON.stringify({
        to: pdu.destination_addr,
        from: pdu.source_addr,
        ton: pdu.source_addr_ton,
        esm_class: pdu.esm_class,
        data_coding: pdu.data_coding,
        whole,
        udh: (message.udh || []).map((part) => part.toString("hex")),
        text: typeof text === "string" ? text : text.toString("hex"),
        validity: pdu.validity_period,
      }),
    );
    if (pdu.registered_delivery !== 1) return;
    const decimal = parseInt(id, 16);
    const receipt = {
      source_addr: pdu.destination_addr,
      destination_addr: pdu.source_addr,
      esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    };
    if (taken % 2) {
      receipt.short_message =
        `id:${decimal} sub:001 dlvrd:001 submit date:2611291200 ` +
        "done date:2611291200 stat:DELIVRD err:000 text:";
    } else {
      receipt.receipted_message_id = String(decimal);
      receipt.message_state = smpp.MESSAGE_STATE.DELIVERED;
    }
    setTimeout(() => {
      session.deliver_sm(receipt, (answer) => {
        console.log(JSON.stringify({ answered: answer.command_status }));
      });
    }, 50);
  });
});
server.on("error", () => {});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
