/** The present, as a state that moves every 15 seconds: relative times follow it. */
const STEP_MILLISECONDS = 15_000

class Clock {
  now = $state(Date.now())

  constructor() {
    setInterval(() => (this.now = Date.now()), STEP_MILLISECONDS)
  }
}

export const clock = new Clock()
