// One line on a site shows a channel's form. No cookies; what could not be sent waits in IndexedDB under its own key.
(function (config) {
  'use strict'
  var script = document.currentScript || document.querySelector('script[src*="/forms/"]')
  var origin = new URL(script.src).origin
  var asked = script.dataset.lang || document.documentElement.lang || navigator.language || ''
  var lang = /^ru/i.test(asked) ? 'ru' : 'en'
  var words = config.words[lang]
  var shownAt = performance.now()
  var unsaved = []
  var pause = 5
  var busy, timer, form, said, button

  function make(tag, properties, children) {
    var element = Object.assign(document.createElement(tag), properties)
    element.append.apply(element, children || [])
    return element
  }

  function input(field) {
    var box = field.type === 'checkbox' || field.type === 'consent'
    var known = { name: field.name, required: !!field.required }
    if (field.type === 'textarea') return make('textarea', Object.assign(known, { rows: 5 }))
    if (field.type === 'select') {
      return make('select', known, [''].concat(field.options).map(function (option) {
        return make('option', { value: option, textContent: option })
      }))
    }
    if (box) known.value = field.label[lang]
    return make('input', Object.assign(known, { type: box ? 'checkbox' : field.type }))
  }

  function row(field) {
    var control = input(field)
    var label = make('span', { textContent: field.label[lang] + (field.required ? ' *' : '') })
    return make('p', {}, [make('label', {}, control.type === 'checkbox' ? [control, ' ', label] : [label, ' ', control])])
  }

  function trap() {
    var hidden = make('div', { ariaHidden: 'true' }, [
      make('label', {}, [words.trap, make('input', { name: '_gotcha', tabIndex: -1, autocomplete: 'off' })])
    ])
    hidden.style.position = 'absolute'
    hidden.style.left = '-9999px'
    return hidden
  }

  function show() {
    form = document.querySelector('form[data-okno="' + config.id + '"]')
    if (!form) {
      form = make('form', { className: 'okno-form', lang: lang }, config.fields.map(row).concat(trap(), [
        make('p', { className: 'okno-said' }), make('button', { textContent: words.send })
      ]))
      form.dataset.okno = config.id
      var place = document.querySelector('[data-okno-form="' + config.id + '"], [data-okno-form=""]')
      if (place) place.append(form)
      else if (document.body.contains(script)) script.after(form)
      else document.body.append(form)
    }
    said = form.querySelector('.okno-said')
    said.setAttribute('role', 'status')
    button = form.querySelector('button')
    form.addEventListener('submit', submit)
    flush()
  }

  function tell(what, more) {
    said.textContent = (words[what] || '') + (more ? ' ' + more : '')
    form.dataset.state = what
  }

  // --- what waits to be sent

  function store(mode, work) {
    return new Promise(function (done, failed) {
      var opening = indexedDB.open('okno-forms', 1)
      opening.onupgradeneeded = function () { opening.result.createObjectStore('posts', { keyPath: 'key' }) }
      opening.onerror = function () { failed(opening.error) }
      opening.onsuccess = function () {
        var transaction = opening.result.transaction('posts', mode)
        var request = work(transaction.objectStore('posts'))
        transaction.oncomplete = function () { opening.result.close(); done(request.result) }
        transaction.onabort = function () { opening.result.close(); failed(transaction.error) }
      }
    })
  }

  async function keep(post) {
    try { await store('readwrite', function (posts) { return posts.put(post) }) } catch (_) { unsaved.push(post) }
  }

  async function forget(post) {
    unsaved = unsaved.filter(function (each) { return each.key !== post.key })
    try { await store('readwrite', function (posts) { return posts.delete(post.key) }) } catch (_) { /* never kept */ }
  }

  async function waiting() {
    var all = []
    try { all = await store('readonly', function (posts) { return posts.getAll() }) } catch (_) { /* nothing is kept */ }
    return all.filter(function (post) { return post.form === config.id }).concat(unsaved)
  }

  // --- sending

  function newKey() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), function (byte) {
      return byte.toString(16).padStart(2, '0')
    }).join('')
  }

  function tooLarge(fields) {
    return fields.reduce(function (sum, field) { return sum + (field[1].size || 0) }, 0) > config.file_bytes
  }

  async function submit(event) {
    event.preventDefault()
    if (button.disabled) return
    var fields = Array.from(new FormData(form))
    if (tooLarge(fields)) return tell('refused', words.too_large) // never kept: it could never be sent
    button.disabled = true
    tell('sending')
    fields.push(['_elapsed', String(Math.round((performance.now() - shownAt) / 1000))])
    fields.push(['_page', location.origin + location.pathname], ['_sent_at', new Date().toISOString()])
    var post = { key: newKey(), form: config.id, fields: fields }
    await keep(post)
    form.reset()
    await deliver(post)
    button.disabled = false
  }

  async function deliver(post) {
    if (tooLarge(post.fields)) { // kept by an older script: what waits behind it goes a little later
      await forget(post)
      giveBack(post)
      tell('refused', words.too_large)
      return later()
    }
    var body = new FormData()
    post.fields.forEach(function (field) { body.append(field[0], field[1]) })
    var answer = null
    try {
      answer = await fetch(origin + '/in/forms/' + config.id, {
        method: 'POST', body: body, headers: { 'Idempotency-Key': post.key }, credentials: 'omit'
      })
    } catch (_) { /* no connection: as if there was no answer */ }
    var status = answer ? answer.status : 0
    if (answer && answer.ok) {
      await forget(post)
      pause = 5
      tell('thanks')
    } else if (!status || status === 408 || status === 429 || status >= 500) {
      tell('kept')
      later(answer && Number(answer.headers.get('Retry-After')))
    } else {
      var why = await answer.json().catch(function () { return {} })
      await forget(post)
      giveBack(post)
      tell('refused', why.detail || why.title)
    }
    return answer && answer.ok
  }

  function giveBack(post) {
    post.fields.forEach(function (field) {
      var control = form.elements.namedItem(field[0])
      if (!control || control.type === 'file' || field[0][0] === '_') return
      if (control.type === 'checkbox') control.checked = true
      else if (!control.value) control.value = field[1]
    })
  }

  function later(seconds) {
    clearTimeout(timer)
    timer = setTimeout(flush, 1000 * Math.max(pause, seconds || 0))
    pause = Math.min(pause * 2, 300)
  }

  async function flush() {
    if (busy || button.disabled) return
    busy = true
    var posts = await waiting()
    for (var number = 0; number < posts.length; number++) if (!(await deliver(posts[number]))) break
    busy = false
  }

  addEventListener('online', flush)
  document.addEventListener('visibilitychange', function () { if (!document.hidden) flush() })
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', show)
  else show()
})(CONFIG)
