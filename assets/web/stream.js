/* Keeps answers of the server from getting lost.

Gradio's page (6.31) ends its stream of answers when the server has nothing left to say. An action that was sent between
the server's last word and the page's hearing it is then waited for on a stream that is about to end, and its answer
never arrives. So the end is held back while an action is unanswered: the stream is opened anew underneath and goes on.
Nothing here reads what the answers hold. It has to run before Gradio's own scripts. */
(() => {
  const plain = window.fetch.bind(window);
  const unanswered = new Set();
  let sending = Promise.resolve(), ended = Promise.resolve();

  const told = (chunk) => { try { return JSON.parse(chunk.slice(chunk.indexOf("data:") + 5)); } catch { return {}; } };

  async function join(input, init) {
    const reply = await plain(input, init);
    try { const { event_id: event } = await reply.clone().json(); if (event) unanswered.add(event); } catch { /* refused: there is no event */ }
    await ended;  // a stream that is ending must be heard to end, or the page takes it for open
    return reply;
  }

  /* The end of a stream has been passed on: until the page has heard it (it aborts then), no action is confirmed. */
  function ending(signal) {
    ended = new Promise((done) => { signal?.addEventListener("abort", done, { once: true }); setTimeout(done, signal ? 1000 : 50); });
  }

  async function* going_on(body, again, signal) {
    const from = new TextDecoder(), to = new TextEncoder();
    let reader = body.getReader(), rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const messages = (rest + from.decode(value, { stream: true })).split("\n\n");
      rest = messages.pop();
      for (const message of messages) {
        const { msg, event_id: event } = told(message);
        if (msg === "process_completed" || msg === "unexpected_error") unanswered.delete(event);
        if (msg === "close_stream") {
          await sending;
          const next = unanswered.size ? await again() : null;
          if (next?.ok && next.body) { reader = next.body.getReader(); rest = ""; break; }
          unanswered.clear();
          ending(signal);
        }
        yield to.encode(`${message}\n\n`);
      }
    }
  }

  window.fetch = (input, init) => {
    const address = String(input?.url ?? input);
    if (address.includes("/gradio_api/queue/join")) {
      const reply = join(input, init);
      sending = Promise.allSettled([sending, reply.then(() => null)]);
      return reply;
    }
    if (!address.includes("/gradio_api/queue/data")) return plain(input, init);
    const again = () => plain(input, init);
    return again().then((reply) => {
      if (!reply.ok || !reply.body) return reply;
      const parts = going_on(reply.body, again, init?.signal);
      const body = new ReadableStream({
        async pull(control) { try { const { done, value } = await parts.next(); done ? control.close() : control.enqueue(value); } catch (error) { control.error(error); } },
        cancel: () => parts.return(),
      });
      return new Response(body, { status: reply.status, headers: reply.headers });
    });
  };
})();
