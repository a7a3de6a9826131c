// What is made when it is first seen: figures and tables, of which there may be thousands.

const visible = (box) => box.getClientRects().length > 0;

/** Makes each box when it comes near to what is seen, and all that is shown before printing. */
class Waiting {
  constructor() {
    this.tasks = new Map();
    this.observer = new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => this.now(target)),
      { rootMargin: "300px" },
    );
    window.addEventListener("beforeprint", () => [...this.tasks.keys()].filter(visible).forEach((box) => this.now(box)));
  }

  add(box, task) {
    this.tasks.set(box, task);
    this.observer.observe(box);
  }

  now(box) {
    const task = this.tasks.get(box);
    this.drop(box);
    task?.();
  }

  drop(box) {
    this.observer.unobserve(box);
    this.tasks.delete(box);
  }

  /** What is inside is not to be made any more. */
  forget(element) {
    [...this.tasks.keys()].filter((box) => element.contains(box)).forEach((box) => this.drop(box));
  }
}

const waiting = new Waiting();
