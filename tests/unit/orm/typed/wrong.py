"""What the type checker refuses: each marked line is an error by exactly the rules named, and no other line is."""

from __future__ import annotations

from decimal import Decimal

from orama.orm import Orm, Table, sql, sql_as
from support.shop import (
    Colour,
    Order,
    User,
    active,
    age,
    boss,
    colour,
    email,
    lines,
    made,
    name,
    nick,
    orders,
    price,
    total,
    users,
)

# A mark stands in the line that it speaks of.
# fmt: off

# A field that the class does not have.
users.column(lambda user: user.agee)  # wrong: UnknownLambdaType, UnknownMemberType, AttributeAccessIssue
Table(User, "users", key=lambda user: user.idd)  # wrong: UnknownLambdaType, UnknownMemberType, AttributeAccessIssue
Table(User, "u", key=lambda u: u.id, columns=lambda u: [(u.aged, "a")])  # wrong: UnknownLambdaType, UnknownMemberType, AttributeAccessIssue

# A class or a field that cannot be what it is said to be.
Table(Order, "orders", key=lambda order: order.id, version=lambda order: order.id)  # wrong: ArgumentType
Table(Colour, "colours", key=lambda colour: 1)  # wrong: ArgumentType
Table(User, "users")  # wrong: CallIssue

# A value of another type than the column's.
_ = age > "x"  # wrong: OperatorIssue, UnknownVariableType
_ = age < None  # wrong: OperatorIssue, UnknownVariableType
_ = made >= "2027-01-01"  # wrong: OperatorIssue, UnknownVariableType
_ = age == nick  # wrong: OperatorIssue, UnknownVariableType
_ = age.is_in(["a"])  # wrong: ArgumentType
_ = colour.is_in(["red"])  # wrong: ArgumentType

# What only texts, numbers or truth values have, and what decimals have not.
age.like("x")  # wrong: UnknownMemberType, AttributeAccessIssue
age.is_true()  # wrong: UnknownMemberType, AttributeAccessIssue
nick.sum()  # wrong: UnknownMemberType, AttributeAccessIssue
name.avg()  # wrong: UnknownMemberType, AttributeAccessIssue
price.desc()  # wrong: UnknownMemberType, AttributeAccessIssue
price.max()  # wrong: UnknownMemberType, AttributeAccessIssue
_ = price > Decimal(1)  # wrong: OperatorIssue, UnknownVariableType

# A condition where Python wants to know whether it is true.
if age > 18:  # wrong: GeneralTypeIssues
    pass
_ = not active.is_true()  # wrong: GeneralTypeIssues

sql("age > ?", [18])  # wrong: ArgumentType
sql_as("int", "count(*)")  # wrong: ArgumentType


async def queries(orm: Orm) -> None:
    people = orm.select(users)
    people.where(age == "x")  # wrong: CallIssue, ArgumentType
    people.where(email == "a@b")  # wrong: CallIssue, ArgumentType
    people.where(colour == "red")  # wrong: CallIssue, ArgumentType
    people.where(boss == "x")  # wrong: CallIssue, ArgumentType
    people.where(age)  # wrong: CallIssue, ArgumentType
    people.where("age > ?", {18})  # wrong: CallIssue, ArgumentType
    people.where(age > 18, 18)  # wrong: CallIssue, ArgumentType
    people.having(age)  # wrong: CallIssue, ArgumentType
    people.join(orders)  # wrong: CallIssue
    people.join("orders", age > 18)  # wrong: CallIssue, ArgumentType
    people.order_by(age)  # wrong: ArgumentType
    people.limit("3")  # wrong: ArgumentType
    people.into(int)  # wrong: ArgumentType
    orm.select("name")  # wrong: ArgumentType
    orm.select()  # wrong: CallIssue
    first: User = await people.get_one()  # wrong: AssignmentType
    amounts: list[int] = await orm.select(total).get_many()  # wrong: AssignmentType
    print(first, amounts)


async def changes(orm: Orm, person: User, order: Order) -> None:
    people = orm.repository(users)
    await people.save(order)  # wrong: ArgumentType
    await people.save_all([order])  # wrong: ArgumentType
    await people.get("a")  # wrong: ArgumentType
    await people.remove_key("a")  # wrong: ArgumentType
    await people.find_one()  # wrong: CallIssue
    await orm.repository(lines).get(("a", "b"))  # wrong: ArgumentType
    await orm.repository(lines).get("a")  # wrong: ArgumentType
    async with orm.transaction() as work:
        work.save(orders, person)  # wrong: ArgumentType
        work.remove(users, order)  # wrong: ArgumentType
        saved = work.save(users, person)
    print(saved.value.agee)  # wrong: UnknownMemberType, UnknownArgumentType, AttributeAccessIssue
