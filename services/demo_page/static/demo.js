// The client's side of the demo: posts the form, starts calls, shows the mails that came.
const TEXT = {
  ru: {
    sent: 'Отправлено: загляните в окно оператора.',
    again: 'Не отправлено, попробуйте ещё раз: ',
    calling: (number) => `Звонок с ${number} пошёл.`,
  },
  en: {
    sent: 'Sent: look into the operator’s window.',
    again: 'Not sent, please try again: ',
    calling: (number) => `A call from ${number} is under way.`,
  },
}
const REFRESH_MS = 1500

const $ = (id) => document.getElementById(id)
const form = $('form')
const text = () => TEXT[document.documentElement.lang]
let shown = ''
let key = newKey()

function newKey() {
  return crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`
}

function speak(language) {
  document.documentElement.lang = language
  $('language').textContent = language === 'ru' ? 'EN' : 'RU'
}

async function answerOf(response) {
  if (response.ok) return response.json()
  const problem = await response.json().catch(() => ({}))
  throw new Error(problem.detail || problem.title || response.statusText)
}

async function say(place, work) {
  try {
    place.textContent = await work()
  } catch (error) {
    place.textContent = text().again + error.message
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const button = form.querySelector('button')
  button.disabled = true
  await say($('form-said'), async () => {
    const headers = { 'Idempotency-Key': key }
    await answerOf(await fetch(form.action, { method: 'POST', headers, body: new FormData(form) }))
    key = newKey()
    form.elements.message.value = ''
    form.elements.file.value = ''
    return text().sent
  })
  button.disabled = false
})

form.addEventListener('input', () => (key = newKey())) // the same text sent again is one message, a changed one is new

function call(missed) {
  return say($('call-said'), async () => {
    const body = JSON.stringify({ number: form.elements.phone.value, missed })
    const headers = { 'Content-Type': 'application/json' }
    const { number } = await answerOf(await fetch('/demo/call', { method: 'POST', headers, body }))
    return text().calling(number)
  })
}

function item(mail) {
  const li = document.createElement('li')
  const subject = document.createElement('strong')
  const from = document.createElement('p')
  const body = document.createElement('pre')
  subject.textContent = mail.subject
  from.textContent = `${mail.from} · ${mail.date}`
  body.textContent = mail.text
  li.append(subject, from, body)
  return li
}

async function refresh() {
  const address = form.elements.email.value.trim()
  $('address').textContent = address
  const { items } = await answerOf(await fetch(`/demo/mail?address=${encodeURIComponent(address)}`))
  const now = JSON.stringify([address, items])
  if (now === shown) return
  shown = now
  $('empty').hidden = items.length > 0
  $('mails').replaceChildren(...items.map(item))
}

async function keepFresh() {
  if (!document.hidden) await refresh().catch(() => {}) // the server is away: the next round asks again
  setTimeout(keepFresh, REFRESH_MS)
}

$('language').addEventListener('click', () => speak(document.documentElement.lang === 'ru' ? 'en' : 'ru'))
$('answered').addEventListener('click', () => call(false))
$('missed').addEventListener('click', () => call(true))
speak(navigator.language.startsWith('ru') ? 'ru' : 'en')
keepFresh()
